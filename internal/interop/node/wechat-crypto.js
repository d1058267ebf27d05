// npm wechat-crypto 0.0.2, started by wechat_npm_test.go. It takes messages as
// JSON on stdin and returns what it makes of them: what it opened, and the
// same sealed and signed by itself.
'use strict';
const fs = require('node:fs');
const Crypt = require('wechat-crypto');

const { token, key, appID, messages } = JSON.parse(fs.readFileSync(0));
const crypt = new Crypt(token, key, appID);
const answers = messages.map(({ encrypt, timestamp, nonce }) => {
  const { message, id } = crypt.decrypt(encrypt);
  const sealed = crypt.encrypt(message);
  return {
    message, id, signature: crypt.getSignature(timestamp, nonce, encrypt), encrypt: sealed, encryptSignature: crypt.getSignature(timestamp, nonce, sealed),
  };
});
process.stdout.write(JSON.stringify(answers));
