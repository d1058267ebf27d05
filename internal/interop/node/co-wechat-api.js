// npm co-wechat-api 3.11.0 with its companions co-wechat-oauth 2.0.1 and
// co-wechat 2.4.0 (the receiver), set up as their READMEs say.
'use strict';
const API = require('co-wechat-api');
const OAuth = require('co-wechat-oauth');
const wechat = require('co-wechat');
const lacks = require('./lacks');
const wechatCrypto = require('./wechat-crypto');

module.exports = function client({ AppID, Secret, Token, AESKey }) {
  const api = new API(AppID, Secret);
  const oauth = new OAuth(AppID, Secret);
  const middleware = wechat({ token: Token, appid: AppID, encodingAESKey: AESKey })
    .middleware(async ({ MsgType, Content }) => (MsgType === 'text' ? `您说：${Content}` : ''));
  return {
    calls: {
      token: async () => ({ token: (await api.getAccessToken()).accessToken }),
      menu: async ({ button }) => { await api.createMenu({ button }); return (await api.getMenu()).menu; },
      dropMenu: () => api.removeMenu(),
      template: async ({ to, template, url, data }) => ({ id: String((await api.sendTemplate(to, template, url, '#173177', data)).msgid) }),
      templates: async () => ({ ids: (await api.getAllPrivateTemplate()).template_list.map((t) => t.template_id) }),
      addTemplate: async ({ id }) => ({ id: (await api.addTemplate(id)).template_id }),
      dropTemplate: ({ id }) => api.delPrivateTemplate(id),
      text: ({ to, text }) => api.sendText(to, text),
      user: ({ openid }) => api.getUser({ openid, lang: 'zh_CN' }),
      users: async () => ({ ids: (await api.getFollowers()).data.openid }),
      someUsers: async ({ openids }) => ({ ids: (await api.batchGetUsers(openids)).user_info_list.map((u) => u.openid) }),
      remark: ({ openid, remark }) => api.updateRemark(openid, remark),
      createTag: async ({ name }) => ({ id: String((await api.createTags(name)).tag.id) }),
      tags: async () => ({ names: (await api.getTags()).tags.map((t) => t.name) }),
      tag: ({ id, openids }) => api.batchTagging(openids, Number(id)),
      tagsOf: async ({ openid }) => ({ ids: (await api.getIdList(openid)).tagid_list.map(String) }),
      tagged: async ({ id }) => ({ ids: (await api.getUsersFromTag(Number(id))).data.openid }),
      code: async ({ scene, seconds }) => {
        const code = await api.createTmpQRCode(scene, seconds);
        return { ticket: code.ticket, seconds: code.expire_seconds, picture: api.showQRCodeURL(code.ticket) };
      },
      lastingCode: async ({ scene }) => ({ ticket: (await api.createLimitQRCode(scene)).ticket }),
      upload: async ({ file }) => ({ id: (await api.uploadMedia(file, 'image')).media_id }),
      fetch: async ({ id }) => ({ data: (await api.getMedia(id)).toString('base64') }),
      keep: async ({ file }) => ({ id: (await api.uploadMaterial(file, 'image')).media_id }),
      kept: async ({ id }) => ({ data: (await api.getMaterial(id)).toString('base64') }),
      link: async ({ url, state }) => ({ link: oauth.getAuthorizeURL(url, state, 'snsapi_userinfo') }),
      login: async ({ code }) => oauth.getUserByCode(code),
      page: async ({ url }) => {
        const { nonceStr, timestamp, signature } = await api.getJsConfig({ url, jsApiList: [] });
        return { ticket: (await api.getTicket()).ticket, nonce: nonceStr, timestamp, signature };
      },
      mass: async ({ text, openids }) => ({ id: String((await api.massSendText(text, openids)).msg_id) }),
      massAll: async ({ text }) => ({ id: String((await api.massSendText(text, true)).msg_id) }),
      massTag: async ({ text, id }) => ({ id: String((await api.massSendText(text, Number(id))).msg_id) }),
      massState: async ({ id }) => ({ state: (await api.getMassMessageStatus(id)).msg_status }),
      ...wechatCrypto(Token, AESKey, AppID),
    },
    async receive(request, response) { // what koa lends to a middleware
      const context = {
        req: request, request: { length: Number(request.headers['content-length']) || undefined }, method: request.method, status: 200,
        query: Object.fromEntries(new URL(request.url, 'http://localhost').searchParams),
      };
      await middleware(context, async () => {});
      response.writeHead(context.status).end(context.body);
    },
    lacks: lacks(['co-wechat-api', 'co-wechat-oauth'], { stable: 'stable_token', notice: 'subscribe/bizsend', draft: 'draft/add' }),
  };
};
