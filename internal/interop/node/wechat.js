// One npm package for the Official Account before a simulated platform, driven
// by wechat_matrix_test.go: node wechat.js PACKAGE BASE_URL. On stdin the
// account comes first, then one call a line; on stdout what the package cannot do,
// then one answer a line. All is JSON.
'use strict';
const http = require('node:http');
const readline = require('node:readline');

const base = new URL(process.argv[3]);
require('./weixin')(base);
const packages = {
  'node-easywechat': './easywechat', 'wechat-api': './wechat-api', 'co-wechat-api': './co-wechat-api',
};

// listen serves the account's address with the package's receiver.
async function listen(receive) {
  const server = http.createServer((request, response) => {
    Promise.resolve(receive(request, response)).catch((error) => {
      process.stderr.write(`receiver: ${error.message}\n`);
      response.writeHead(500).end();
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { url: `http://127.0.0.1:${server.address().port}/wechat` };
}

function answer(value) { process.stdout.write(`${JSON.stringify(value)}\n`); }

async function main() {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const account = JSON.parse((await lines.next()).value);
  const { calls, receive, lacks } = require(packages[process.argv[2]])(account);
  calls.listen = () => listen(receive);
  answer({ lacks });
  for await (const line of lines) {
    const { call, args } = JSON.parse(line);
    try {
      answer({ value: (await calls[call](args)) ?? {} });
    } catch (error) {
      answer({ code: Number(error.code) || 0, text: String(error.stack) });
    }
  }
  process.exit(0); // the receiver would keep it running
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
