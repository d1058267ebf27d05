// npm wechatpay-axios-plugin 0.9.6 against a simulated WeChat Pay, started by
// wechatpay_npm_test.go: node wechatpay.js BASE_URL CREDENTIALS_DIR. Nothing
// of the package is replaced; BASE_URL is its option. Each step that holds is
// a line on stdout; one that does not is an exception.
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { Wechatpay, Rsa, Aes: { AesGcm }, Formatter } = require('wechatpay-axios-plugin');

const [baseURL, dir] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(dir, name));
const about = JSON.parse(read('wechatpay.json'));
const privateKey = read('merchant_key.pem');
const { mchid, appid, merchant_serial: serial, api_v3_key: secret } = about;
const openid = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o';

function step(name) { process.stdout.write(`${name}\n`); }

// refused expects WeChat Pay's definite no.
async function refused(call, status, code) {
  await assert.rejects(call, (error) => {
    assert.equal(error.response?.status, status, error.message);
    assert.equal(error.response.data.code, code);
    return true;
  });
}

// download fetches the platform certificates as the package's own tool does:
// the key opens them before they verify the answer that brought them.
async function download() {
  const certs = { any: undefined };
  const wxpay = new Wechatpay({ baseURL, mchid, serial, privateKey, certs });
  const open = (body) => {
    for (const { serial_no: no, encrypt_certificate: { nonce, associated_data: aad, ciphertext } } of JSON.parse(body).data) {
      certs[no] = AesGcm.decrypt(ciphertext, secret, nonce, aad);
    }
    return body;
  };
  const verifier = (body, headers) => {
    const at = headers.get('Wechatpay-Timestamp');
    const message = Formatter.response(at, headers.get('Wechatpay-Nonce'), body);
    assert.ok(Rsa.verify(message, headers.get('Wechatpay-Signature'), Rsa.from(certs[headers.get('Wechatpay-Serial')], Rsa.KEY_TYPE_PUBLIC)));
    return JSON.parse(body);
  };
  await wxpay.client.v3.get('v3/certificates', { transformResponse: [open, verifier] });
  delete certs.any;
  return certs;
}

// listen serves the notify_url and hands over what verifies and opens.
async function listen(certs) {
  const waiting = [];
  const came = [];
  const server = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString();
      const { 'wechatpay-timestamp': at, 'wechatpay-nonce': nonce, 'wechatpay-signature': signature, 'wechatpay-serial': key } = request.headers;
      const fresh = Math.abs(Formatter.timestamp() - Number(at)) < 300;
      if (!fresh || !certs[key] || !Rsa.verify(Formatter.response(at, nonce, body), signature, Rsa.from(certs[key], Rsa.KEY_TYPE_PUBLIC))) {
        response.writeHead(401).end();
        return;
      }
      const { event_type: event, resource } = JSON.parse(body);
      const plain = JSON.parse(AesGcm.decrypt(resource.ciphertext, secret, resource.nonce, resource.associated_data));
      response.writeHead(204).end();
      const next = waiting.shift();
      if (next) next({ event, plain }); else came.push({ event, plain });
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${server.address().port}/notify`,
    next: () => (came.length ? Promise.resolve(came.shift()) : new Promise((resolve) => { waiting.push(resolve); })),
    close: () => server.close(),
  };
}

async function main() {
  let certs = {};
  if (about.platform_serial) {
    certs = await download();
    assert.ok(certs[about.platform_serial]);
    step('certificates');
  }
  if (about.public_key_id) certs[about.public_key_id] = read('wechatpay_public_key.pem').toString();
  const wxpay = new Wechatpay({ baseURL, mchid, serial, privateKey, certs: { ...certs } });
  if (!about.platform_serial) {
    await refused(wxpay.v3.certificates.get({}), 404, 'RESOURCE_NOT_EXISTS');
    step('no certificates');
  }
  const notify = await listen(certs);
  const out_trade_no = 'NPM_TRADE_1';
  const order = {
    appid, mchid, out_trade_no, description: '挂号费', notify_url: notify.url,
    amount: { total: 1250, currency: 'CNY' }, payer: { openid },
  };

  const { data: { prepay_id: prepayId } } = await wxpay.v3.pay.transactions.jsapi.post(order);
  const again = await wxpay.v3.pay.transactions.jsapi.post(order);
  assert.notEqual(again.data.prepay_id, prepayId);
  step('prepay and the same again');
  await refused(wxpay.v3.pay.transactions.jsapi.post({ ...order, amount: { total: 1251, currency: 'CNY' } }), 400, 'INVALID_REQUEST');
  step('prepay changed');

  const ask = { params: { mchid }, out_trade_no };
  const unpaid = await wxpay.v3.pay.transactions.outTradeNo.$out_trade_no$.get(ask);
  assert.equal(unpaid.data.trade_state, 'NOTPAY');
  const sheet = {
    appId: appid, timeStamp: `${Formatter.timestamp()}`, nonceStr: Formatter.nonce(), package: `prepay_id=${prepayId}`, signType: 'RSA',
  };
  sheet.paySign = Rsa.sign(Formatter.joinedByLineFeed(sheet.appId, sheet.timeStamp, sheet.nonceStr, sheet.package), privateKey);
  const paid = await fetch(`${baseURL}/_sim/pay?${new URLSearchParams(sheet)}`, { method: 'POST' });
  assert.equal(paid.status, 200, await paid.text());
  const told = await notify.next();
  assert.equal(told.event, 'TRANSACTION.SUCCESS');
  const known = await wxpay.v3.pay.transactions.outTradeNo.$out_trade_no$.get(ask);
  assert.deepEqual(told.plain, known.data);
  assert.equal(known.data.trade_state, 'SUCCESS');
  const byId = await wxpay.v3.pay.transactions.id.$transaction_id$.get({ params: { mchid }, transaction_id: told.plain.transaction_id });
  assert.deepEqual(byId.data, known.data);
  step('pay, notification and query');

  await refused(wxpay.v3.pay.transactions.outTradeNo.$out_trade_no$.close.post({ mchid }, { out_trade_no }), 400, 'ORDER_PAID');
  await wxpay.v3.pay.transactions.jsapi.post({ ...order, out_trade_no: 'NPM_TRADE_2' });
  for (let i = 0; i < 2; i += 1) {
    const closed = await wxpay.v3.pay.transactions.outTradeNo.$out_trade_no$.close.post({ mchid }, { out_trade_no: 'NPM_TRADE_2' });
    assert.equal(closed.status, 204);
  }
  await refused(wxpay.v3.pay.transactions.jsapi.post({ ...order, out_trade_no: 'NPM_TRADE_2' }), 400, 'ORDER_CLOSED');
  step('close');

  const refund = {
    out_trade_no, out_refund_no: 'NPM_REFUND_1', reason: '退号', notify_url: notify.url, amount: { refund: 1000, total: 1250, currency: 'CNY' },
  };
  const lookup = { out_refund_no: refund.out_refund_no };
  await refused(wxpay.v3.refund.domestic.refunds.$out_refund_no$.get(lookup), 404, 'RESOURCE_NOT_EXISTS');
  const first = await wxpay.v3.refund.domestic.refunds.post(refund);
  assert.equal(first.data.status, 'PROCESSING');
  const second = await wxpay.v3.refund.domestic.refunds.post(refund);
  assert.equal(second.data.refund_id, first.data.refund_id);
  await refused(wxpay.v3.refund.domestic.refunds.post({ ...refund, amount: { ...refund.amount, refund: 999 } }), 400, 'INVALID_REQUEST');
  step('refund and the same number again');
  const moved = await fetch(`${baseURL}/_sim/clock?forward=5s`, { method: 'POST' });
  assert.equal(moved.status, 200);
  const returned = await notify.next();
  assert.equal(returned.event, 'REFUND.SUCCESS');
  assert.equal(returned.plain.refund_status, 'SUCCESS');
  assert.equal(returned.plain.amount.refund, 1000);
  const done = await wxpay.v3.refund.domestic.refunds.$out_refund_no$.get(lookup);
  assert.equal(done.data.status, 'SUCCESS');
  step('refund notification and query');
  notify.close();
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n${JSON.stringify(error.response?.data)}\n`);
  process.exitCode = 1;
});
