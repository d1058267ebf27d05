// npm node-easywechat 3.6.2 (with node-socialite 1.4.1) against a simulated
// platform, started by wechat_npm_test.go: node wechat.js BASE_URL, the
// account as JSON on stdin. Nothing of the packages is replaced but the
// transport: what goes to https://api.weixin.qq.com goes to BASE_URL. Each
// step that holds is a line on stdout; one that does not is an exception.
'use strict';
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');

const base = new URL(process.argv[2]);
https.request = (options, done) => {
  assert.equal(options.hostname, 'api.weixin.qq.com');
  return http.request({ ...options, protocol: base.protocol, hostname: base.hostname, host: base.host, port: base.port, agent: undefined }, done);
};
const { OfficialAccount, CacheInterface, ServerRequest } = require('node-easywechat');

const about = JSON.parse(fs.readFileSync(0));

function step(name) { process.stdout.write(`${name}\n`); }

// Memory keeps tokens in place of the package's files.
class Memory extends CacheInterface {
  #kept = new Map();
  async get(id) { return this.#kept.get(id) ?? null; }
  async set(id, value) { this.#kept.set(id, value); return true; }
  async has(id) { return this.#kept.has(id); }
  async delete(id) { return this.#kept.delete(id); }
}

function account(stable) {
  const app = new OfficialAccount({
    app_id: about.AppID, secret: about.Secret, token: about.Token, aes_key: about.AESKey, use_stable_access_token: stable,
    oauth: { scopes: ['snsapi_userinfo'], redirect_url: 'http://hospital.example/in' },
  });
  app.setCache(new Memory());
  return app;
}

// sim makes a user of the platform act.
async function sim(method, path, query) {
  const response = await fetch(new URL(`/_sim/${path}?${new URLSearchParams(query)}`, base), { method });
  const text = await response.text();
  assert.equal(response.status, 200, `${path}: ${text}`);
  return text ? JSON.parse(text) : null;
}

// serve is an account's server with the package's receiver. Each request has a
// receiver of its own, because one keeps the decryption of the request before.
async function serve() {
  const server = http.createServer(async (req, res) => {
    try {
      const app = account(true);
      app.setRequest(await ServerRequest.createFromIncomingMessage(req));
      const receiver = app.getServer();
      receiver.with(async (message) => (message.MsgType === 'text' ? `您说：${message.Content}` : undefined));
      const reply = await receiver.serve();
      res.writeHead(reply.getStatusCode()).end(reply.getBody().toString());
    } catch (error) {
      process.stderr.write(`receiver: ${error.stack}\n`);
      res.writeHead(500).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

(async () => {
  const app = account(true);
  const classic = await account(false).getAccessToken().getToken();
  const stable = await app.getAccessToken().getToken();
  assert.notEqual(classic, stable);
  assert.equal(await app.getAccessToken().getStableAccessToken(), stable);
  step('tokens');

  const client = app.getClient();
  const call = async (method, path, payload) => (await client.request(method, path, payload)).toObject();
  const page = 'http://hospital.example/pay?a=1';
  const config = await app.getUtils().buildJsSdkConfig(page);
  const ticket = await app.getTicket().getTicket();
  assert.equal(config.signature, crypto.createHash('sha1').update(`jsapi_ticket=${ticket}&noncestr=${config.nonceStr}&timestamp=${config.timestamp}&url=${page}`).digest('hex'));
  step('ticket');

  const button = [{ type: 'click', name: '挂号', key: 'book' }, { name: '查询', sub_button: [{ type: 'view', name: '报告', url: 'http://hospital.example/?a=1&b=2' }] }];
  assert.equal((await call('post', 'cgi-bin/menu/create', { json: { button } })).errcode, 0);
  assert.equal((await call('get', 'cgi-bin/menu/get')).menu.button[1].sub_button[0].url, button[1].sub_button[0].url);
  assert.equal((await call('post', 'cgi-bin/menu/create', { json: { button: [] } })).errcode, 40016);
  step('menu');

  const receiver = await serve();
  await sim('POST', 'callback', { url: `http://127.0.0.1:${receiver.address().port}/wechat` });
  const { openid } = await sim('POST', 'join', { name: '陈素心' });
  await sim('POST', 'follow', { openid });
  await sim('POST', 'say', { openid, text: '在吗 <&>' });
  let chat = await sim('GET', 'chat', { openid });
  assert.deepEqual(chat.map((b) => [b.from, b.text]), [['user', '在吗 <&>'], ['account', '您说：在吗 <&>']]);
  step('receiver in safe mode');

  assert.equal((await call('get', 'cgi-bin/user/info', { params: { openid } })).subscribe, 1);
  assert.deepEqual((await call('get', 'cgi-bin/user/get')).data.openid, [openid]);
  assert.equal((await call('get', 'cgi-bin/user/info', { params: { openid: 'o0' } })).errcode, 40003);
  step('users');

  const message = (when) => ({ touser: openid, template_id: 'booked', data: { thing1: { value: '陈素心' }, time2: { value: when } } });
  const refused = await call('post', 'cgi-bin/message/template/send', { json: message('明天') });
  assert.equal(refused.errcode, 47003);
  assert.match(refused.errmsg, /^argument invalid! data\.time2\.value invalid rid: /);
  assert.equal((await call('post', 'cgi-bin/message/template/send', { json: message('2026年11月24日 08:30') })).errcode, 0);
  const custom = { touser: openid, msgtype: 'text', text: { content: '请到二楼' } };
  assert.equal((await call('post', 'cgi-bin/message/custom/send', { json: custom })).errcode, 0);
  for (let tries = 0; chat.length < 4 && tries < 500; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20)); // the card comes when the platform has delivered it
    chat = await sim('GET', 'chat', { openid });
  }
  assert.deepEqual(chat.slice(2).map((b) => b.kind).sort(), ['template', 'text']);
  step('template and customer message');

  const oauth = app.getOAuth();
  const { url } = await sim('POST', 'authorize', { openid, link: oauth.withState('s1').redirect() });
  const back = new URL(url);
  assert.equal(back.searchParams.get('state'), 's1');
  const user = await oauth.userFromCode(back.searchParams.get('code'));
  assert.equal(user.getId(), openid);
  assert.equal(user.getNickname(), '陈素心');
  await assert.rejects(oauth.userFromCode(back.searchParams.get('code')));
  step('login');

  await sim('POST', 'revoke', { kind: 'stable' });
  assert.equal((await call('get', 'cgi-bin/menu/get')).errcode, 40001);
  step('revoked by another system');
  receiver.close();
})().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1); // the receiver would keep it running
});
