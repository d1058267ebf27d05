// The transport under every package: whatever goes to a host of WeChat goes to
// a simulated platform, over plain HTTP. node's own http.request and
// https.request are replaced, before a package is loaded; of the packages
// nothing is.
'use strict';
const assert = require('node:assert/strict');
const http = require('node:http');
const https = require('node:https');

const hosts = ['api.weixin.qq.com', 'mp.weixin.qq.com'];
const request = http.request;

module.exports = function weixin(base) {
  https.request = (options, done) => {
    const host = options.hostname || options.host;
    assert.ok(hosts.includes(host), `a call to ${host}`);
    return request({ ...options, protocol: base.protocol, hostname: base.hostname, host: base.hostname, port: base.port, agent: undefined }, done);
  };
  http.request = () => assert.fail('a call without TLS');
};
