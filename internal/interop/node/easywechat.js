// npm node-easywechat 3.6.2 with node-socialite 1.4.1, its web login, set up
// as its README says. Version 3 has one call for every path, so what is tried
// is whether its client, its files and its answers are right for each.
'use strict';
const fs = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { OfficialAccount, CacheInterface, ServerRequest, FormData } = require('node-easywechat');
const Encryptor = require('node-easywechat/dist/Core/Encryptor');

// Memory keeps tokens in place of the package's files.
class Memory extends CacheInterface {
  #kept = new Map();
  async get(id) { return this.#kept.get(id) ?? null; }
  async set(id, value) { this.#kept.set(id, value); return true; }
  async has(id) { return this.#kept.has(id); }
  async delete(id) { return this.#kept.delete(id); }
}

module.exports = function client({ AppID, Secret, Token, AESKey }) {
  const official = (stable) => {
    const app = new OfficialAccount({
      app_id: AppID, secret: Secret, token: Token, aes_key: AESKey, use_stable_access_token: stable,
      oauth: { scopes: ['snsapi_userinfo'], redirect_url: 'http://hospital.example/in' },
    });
    app.setCache(new Memory());
    return app;
  };
  const app = official(true);
  const api = app.getClient();
  const call = async (method, path, payload) => {
    const answer = (await api.request(method, `cgi-bin/${path}`, payload)).toObject();
    if (answer.errcode) throw Object.assign(new Error(answer.errmsg), { code: answer.errcode });
    return answer;
  };
  const post = (path, json) => call('post', path, { json });
  const send = (path, file, params) => {
    const form = new FormData();
    form.append('media', fs.createReadStream(file));
    return call('post', path, { formData: form, params });
  };
  const bytes = async (method, path, payload) => {
    const answer = await api.request(method, `cgi-bin/${path}`, { ...payload, responseType: 'arraybuffer' });
    const folder = fs.mkdtempSync(join(tmpdir(), 'easywechat-'));
    try {
      return { data: fs.readFileSync(answer.saveAs(join(folder, 'file'))).toString('base64') };
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  };
  const encryptor = new Encryptor(AppID, Token, AESKey, AppID);
  const field = (xml, name) => xml.match(new RegExp(`<${name}>(?:<!\\[CDATA\\[)?([^\\]<]*)`))[1];
  const code = async (scene) => post('qrcode/create', scene);
  const mass = async (path, text, to) => {
    const { msg_id: id } = await post(`message/mass/${path}`, { ...to, msgtype: 'text', text: { content: text } });
    return { id: String(id) };
  };
  return {
    calls: {
      token: async () => ({ token: await official(false).getAccessToken().getToken() }),
      stable: async () => ({ token: await app.getAccessToken().getToken() }),
      menu: async ({ button }) => { await post('menu/create', { button }); return (await call('get', 'menu/get')).menu; },
      dropMenu: () => call('get', 'menu/delete'),
      template: async ({ to, template, url, data }) => {
        const { msgid } = await post('message/template/send', { touser: to, template_id: template, url, data });
        return { id: String(msgid) };
      },
      templates: async () => ({ ids: (await call('get', 'template/get_all_private_template')).template_list.map((t) => t.template_id) }),
      addTemplate: async ({ id, names }) => ({
        id: (await post('template/api_add_template', { template_id_short: id, keyword_name_list: names })).template_id,
      }),
      dropTemplate: ({ id }) => post('template/del_private_template', { template_id: id }),
      notice: ({ to, template, data }) => post('message/subscribe/bizsend', { touser: to, template_id: template, data }),
      text: ({ to, text }) => post('message/custom/send', { touser: to, msgtype: 'text', text: { content: text } }),
      user: ({ openid }) => call('get', 'user/info', { params: { openid } }),
      users: async () => ({ ids: (await call('get', 'user/get')).data.openid }),
      someUsers: async ({ openids }) => {
        const answer = await post('user/info/batchget', { user_list: openids.map((openid) => ({ openid, lang: 'zh_CN' })) });
        return { ids: answer.user_info_list.map((u) => u.openid) };
      },
      remark: ({ openid, remark }) => post('user/info/updateremark', { openid, remark }),
      createTag: async ({ name }) => ({ id: String((await post('tags/create', { tag: { name } })).tag.id) }),
      tags: async () => ({ names: (await call('get', 'tags/get')).tags.map((t) => t.name) }),
      tag: ({ id, openids }) => post('tags/members/batchtagging', { tagid: Number(id), openid_list: openids }),
      tagsOf: async ({ openid }) => ({ ids: (await post('tags/getidlist', { openid })).tagid_list.map(String) }),
      tagged: async ({ id }) => ({ ids: (await post('user/tag/get', { tagid: Number(id), next_openid: '' })).data.openid }),
      code: async ({ scene, seconds }) => {
        const { ticket, expire_seconds: left } = await code({
          expire_seconds: seconds, action_name: 'QR_STR_SCENE', action_info: { scene: { scene_str: scene } },
        });
        return { ticket, seconds: left, picture: `https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket=${encodeURIComponent(ticket)}` };
      },
      lastingCode: async ({ scene }) => ({
        ticket: (await code({ action_name: 'QR_LIMIT_STR_SCENE', action_info: { scene: { scene_str: scene } } })).ticket,
      }),
      upload: async ({ file }) => ({ id: (await send('media/upload', file, { type: 'image' })).media_id }),
      fetch: ({ id }) => bytes('get', 'media/get', { params: { media_id: id } }),
      keep: async ({ file }) => ({ id: (await send('material/add_material', file, { type: 'image' })).media_id }),
      kept: ({ id }) => bytes('post', 'material/get_material', { json: { media_id: id } }),
      link: async ({ url, state }) => ({ link: app.getOAuth().withRedirectUrl(url).withState(state).redirect() }),
      login: async ({ code: given }) => {
        const user = await app.getOAuth().userFromCode(given);
        return { openid: user.getId(), nickname: user.getNickname() };
      },
      page: async ({ url }) => {
        const { nonceStr, timestamp, signature } = await app.getUtils().buildJsSdkConfig(url);
        return { ticket: await app.getTicket().getTicket(), nonce: nonceStr, timestamp: String(timestamp), signature };
      },
      mass: async ({ text, openids }) => mass('send', text, { touser: openids }),
      massAll: async ({ text }) => mass('sendall', text, { filter: { is_to_all: true } }),
      massTag: async ({ text, id }) => mass('sendall', text, { filter: { is_to_all: false, tag_id: Number(id) } }),
      massState: async ({ id }) => ({ state: (await post('message/mass/get', { msg_id: Number(id) })).msg_status }),
      draft: async ({ article }) => {
        const { media_id: id } = await post('draft/add', { articles: [article] });
        return { id, title: (await post('draft/get', { media_id: id })).news_item[0].title };
      },
      seal: async ({ text, timestamp, nonce }) => {
        const sealed = encryptor.encrypt(text, nonce, timestamp);
        return { encrypt: field(sealed, 'Encrypt'), signature: field(sealed, 'MsgSignature') };
      },
      open: async ({ encrypt, timestamp, nonce, signature }) => ({
        text: encryptor.decrypt(encrypt, signature, nonce, timestamp), id: AppID, signature,
      }),
    },
    // Each request has a receiver of its own, because one keeps the decryption
    // of the request before.
    async receive(request, response) {
      const app = official(true);
      app.setRequest(await ServerRequest.createFromIncomingMessage(request));
      const receiver = app.getServer();
      receiver.with(async (message) => (message.MsgType === 'text' ? `您说：${message.Content}` : undefined));
      const reply = await receiver.serve();
      response.writeHead(reply.getStatusCode()).end(reply.getBody().toString());
    },
    lacks: [],
  };
};
