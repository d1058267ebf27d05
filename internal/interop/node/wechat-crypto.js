// npm wechat-crypto 0.0.2, with which the receivers of both families seal and
// open.
'use strict';
const Crypt = require('wechat-crypto');

module.exports = function crypto(token, key, appID) {
  return {
    seal: async ({ text, timestamp, nonce }) => {
      const crypt = new Crypt(token, key, appID);
      const encrypt = crypt.encrypt(text);
      return { encrypt, signature: crypt.getSignature(timestamp, nonce, encrypt) };
    },
    open: async ({ encrypt, timestamp, nonce }) => {
      const crypt = new Crypt(token, key, appID);
      const { message, id } = crypt.decrypt(encrypt);
      return { text: message, id, signature: crypt.getSignature(timestamp, nonce, encrypt) };
    },
  };
};
