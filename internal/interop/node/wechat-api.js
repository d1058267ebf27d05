// npm wechat-api 1.35.1 with its companions wechat-oauth 1.5.0 and wechat
// 2.1.0 (the receiver), set up as their READMEs say.
'use strict';
const API = require('wechat-api');
const OAuth = require('wechat-oauth');
const wechat = require('wechat');
const lacks = require('./lacks');
const wechatCrypto = require('./wechat-crypto');

module.exports = function client({ AppID, Secret, Token, AESKey }) {
  const promised = (object) => (method, ...args) => new Promise((resolve, reject) => {
    object[method](...args, (error, value) => { if (error) reject(error); else resolve(value); });
  });
  const api = new API(AppID, Secret);
  const call = promised(api);
  const oauth = new OAuth(AppID, Secret);
  const login = promised(oauth);
  const middleware = wechat({ token: Token, appid: AppID, encodingAESKey: AESKey }, (request, response) => {
    const { MsgType, Content } = request.weixin;
    response.reply(MsgType === 'text' ? `您说：${Content}` : '');
  });
  return {
    calls: {
      token: async () => ({ token: (await call('getAccessToken')).accessToken }),
      menu: async ({ button }) => { await call('createMenu', { button }); return (await call('getMenu')).menu; },
      dropMenu: () => call('removeMenu'),
      template: async ({ to, template, url, data }) => ({ id: String((await call('sendTemplate', to, template, url, data)).msgid) }),
      templates: async () => ({ ids: (await call('getAllPrivateTemplate')).template_list.map((t) => t.template_id) }),
      addTemplate: async ({ id }) => ({ id: (await call('addTemplate', id)).template_id }),
      dropTemplate: ({ id }) => call('delPrivateTemplate', id),
      text: ({ to, text }) => call('sendText', to, text),
      user: async ({ openid }) => call('getUser', { openid, lang: 'zh_CN' }),
      users: async () => ({ ids: (await call('getFollowers')).data.openid }),
      someUsers: async ({ openids }) => ({ ids: (await call('batchGetUsers', openids)).user_info_list.map((u) => u.openid) }),
      remark: ({ openid, remark }) => call('updateRemark', openid, remark),
      createTag: async ({ name }) => ({ id: String((await call('createTag', name)).tag.id) }),
      tags: async () => ({ names: (await call('getTags')).tags.map((t) => t.name) }),
      tag: ({ id, openids }) => call('membersBatchtagging', Number(id), openids),
      tagsOf: async ({ openid }) => ({ ids: (await call('getUserTags', openid)).tagid_list.map(String) }),
      tagged: async ({ id }) => ({ ids: (await call('getTagUsers', Number(id), '')).data.openid }),
      code: async ({ scene, seconds }) => {
        const code = await call('createTmpQRCode', scene, seconds);
        return { ticket: code.ticket, seconds: code.expire_seconds, picture: api.showQRCodeURL(code.ticket) };
      },
      lastingCode: async ({ scene }) => ({ ticket: (await call('createLimitQRCode', scene)).ticket }),
      upload: async ({ file }) => ({ id: (await call('uploadMedia', file, 'image')).media_id }),
      fetch: async ({ id }) => ({ data: (await call('getMedia', id)).toString('base64') }),
      keep: async ({ file }) => ({ id: (await call('uploadMaterial', file, 'image')).media_id }),
      kept: async ({ id }) => ({ data: (await call('getMaterial', id)).toString('base64') }),
      link: async ({ url, state }) => ({ link: oauth.getAuthorizeURL(url, state, 'snsapi_userinfo') }),
      login: async ({ code }) => login('getUserByCode', { code, lang: 'zh_CN' }),
      page: async ({ url }) => {
        const { nonceStr, timestamp, signature } = await call('getJsConfig', { url, jsApiList: [] });
        return { ticket: (await call('getTicket')).ticket, nonce: nonceStr, timestamp, signature };
      },
      mass: async ({ text, openids }) => ({ id: String((await call('massSendText', text, openids)).msg_id) }),
      massAll: async ({ text }) => ({ id: String((await call('massSendText', text, true)).msg_id) }),
      massTag: async ({ text, id }) => ({ id: String((await call('massSendText', text, Number(id))).msg_id) }),
      massState: async ({ id }) => ({ state: (await call('getMassMessageStatus', id)).msg_status }),
      ...wechatCrypto(Token, AESKey, AppID),
    },
    receive(request, response) {
      request.query = Object.fromEntries(new URL(request.url, 'http://localhost').searchParams); // as express does
      middleware(request, response, (error) => {
        process.stderr.write(`receiver: ${error && error.message}\n`);
        response.writeHead(500).end();
      });
    },
    lacks: lacks(['wechat-api', 'wechat-oauth'], { stable: 'stable_token', notice: 'subscribe/bizsend', draft: 'draft/add' }),
  };
};
