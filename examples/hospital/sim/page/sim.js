"use strict";
// The test bed: it shows what the simulators know and sends what buttons say.
// Pages of the hospital run in the frame; this page is the WeChat around them.
const $ = (id) => document.getElementById(id);
const states = { absent: "无", held: "锁号", registered: "已挂号", arrived: "已取号", fulfilled: "已就诊", cancelled: "已取消", suspended: "停诊" };
const home = document.body.dataset.home;
let after = 0, drawn = "", pending = null;

async function send(path, order) {
  const answer = await fetch("/sim/" + path, { method: "POST", body: JSON.stringify(order) });
  const said = await answer.json();
  $("said").textContent = answer.ok ? "" : "没有做成：" + said.error;
  await look();
  return answer.ok ? said : null;
}

function element(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

function open(url) {
  $("web").hidden = false;
  $("chat").hidden = $("say").hidden = $("menu").hidden = true;
  $("back").hidden = false;
  $("title").textContent = "医院页面";
  $("web").src = url;
  done("page");
}

function close() {
  $("web").hidden = true;
  $("chat").hidden = $("say").hidden = $("menu").hidden = false;
  $("back").hidden = true;
  $("title").textContent = "医院公众号";
  look();
}

function done(step) {
  const item = document.querySelector(`#tour [data-step="${step}"]`);
  if (item) item.classList.add("done");
}

function bubble(b) {
  const e = element("div", "bubble " + b.from, b.text || "");
  for (const card of b.cards || []) {
    e.append(element("h3", "", card.title));
    if (card.text) e.append(element("p", "", card.text));
    const list = element("dl");
    for (const line of card.lines || []) list.append(element("dt", "", line.name), element("dd", "", line.value));
    e.append(list);
    if (card.url) {
      const link = element("a", "", "查看详情");
      link.href = card.url;
      link.addEventListener("click", (event) => { event.preventDefault(); open(card.url); });
      e.append(link);
    }
  }
  return e;
}

function menu(entries) {
  if (!entries.length) { // no menu was published, or nobody follows
    const button = element("button", "", "医院首页");
    button.type = "button";
    button.addEventListener("click", () => open(home));
    $("menu").replaceChildren(button);
    return;
  }
  $("menu").replaceChildren(...entries.map((entry) => {
    const column = element("div"), button = element("button", "", entry.name);
    button.type = "button";
    column.append(button);
    if (!entry.sub) {
      button.addEventListener("click", () => tap(entry.name));
      return column;
    }
    const list = element("ul");
    list.hidden = true;
    for (const name of entry.sub) {
      const item = element("li"), choice = element("button", "", name);
      choice.type = "button";
      choice.addEventListener("click", () => { list.hidden = true; tap(name); });
      item.append(choice);
      list.append(item);
    }
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("click", () => { list.hidden = !list.hidden; button.setAttribute("aria-expanded", String(!list.hidden)); });
    column.append(list);
    return column;
  }));
}

async function tap(name) {
  const said = await send("tap", { button: name });
  if (said && said.url) open(said.url);
}

function visits(rows) {
  $("visits").replaceChildren(...rows.map((v) => {
    const row = element("tr");
    row.append(element("td", "", v.his_no), element("td", "", (v.online ? "手机 " : "窗口 ") + (states[v.state] || v.state)), element("td", "", v.paid));
    const acts = element("td");
    for (const [verb, word] of [["arrive", "取号"], ["see", "就诊"], ["suspend", "停诊"], ["bill", "开单"]]) {
      const button = element("button", "", word);
      button.type = "button";
      button.addEventListener("click", () => send("hospital", { verb, his_no: v.his_no }));
      acts.append(button);
    }
    row.append(acts);
    return row;
  }));
}

async function look() {
  const answer = await fetch("/sim/state?after=" + after);
  if (!answer.ok) return;
  const s = await answer.json();
  $("now").textContent = s.now;
  $("faults").textContent = s.faults.length ? "当前故障：" + s.faults.join("、") : "";
  for (const c of s.wire) {
    after = Math.max(after, c.no);
    const item = element("li");
    item.append(...[c.time, c.wire, c.call, c.summary, c.outcome].map((text) => element("span", "", text)));
    $("wire").prepend(item);
    if (c.outcome === "answer_lost") done("fault");
    if (c.outcome !== "ok") continue;
    if (c.call === "Confirm") done(c.summary.includes("Paid=") ? "paid" : "booked");
    if (c.summary.includes("REFUND.SUCCESS")) done("cancelled");
  }
  while ($("wire").children.length > 200) $("wire").lastChild.remove();
  $("people").replaceChildren(...s.people.map((p) => element("li", "", p.name + "　" + p.id_number + (p.insured ? "　医保" : "　自费"))));
  const now = JSON.stringify([s.chat, s.menu, s.visits, s.texts]);
  if (now === drawn) return;
  drawn = now;
  $("chat").replaceChildren(...s.chat.map(bubble));
  $("chat").scrollTop = $("chat").scrollHeight;
  menu(s.menu);
  visits(s.visits);
  $("texts").replaceChildren(...s.texts.map((t) => element("li", "", t.to + "：" + t.text)));
}

// The WeChat that the page in the frame finds around it.
function lend() {
  const page = $("web").contentWindow;
  try { void page.document; } catch { return; } // another host: the login page
  page.WeixinJSBridge = {
    invoke(name, request, answer) {
      if (name !== "getBrandWCPayRequest") { answer({ err_msg: name + ":fail" }); return; }
      pending = { request, answer };
      $("sheet").showModal();
    },
    call(name) { if (name === "closeWindow") close(); },
    on() {},
  };
  page.document.dispatchEvent(new Event("WeixinJSBridgeReady"));
}

$("sheet").addEventListener("click", async (event) => {
  const how = event.target.dataset.how;
  if (!how || !pending) return;
  $("sheet").close();
  const { request, answer } = pending;
  pending = null;
  if (how === "cancel") { answer({ err_msg: "get_brand_wcpay_request:cancel" }); return; }
  const said = await send("pay", { how, sheet: request });
  answer({ err_msg: "get_brand_wcpay_request:" + (said && how !== "fail" ? "ok" : "fail") });
});
$("sheet").addEventListener("cancel", () => { if (pending) pending.answer({ err_msg: "get_brand_wcpay_request:cancel" }); pending = null; });
$("web").addEventListener("load", lend);
$("back").addEventListener("click", close);
$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("words").value.trim();
  $("words").value = "";
  if (text) send("say", { text });
});
document.querySelectorAll("[data-verb]").forEach((button) => button.addEventListener("click", () => {
  send("hospital", { verb: button.dataset.verb });
  if (button.dataset.verb === "tomorrow") done("time");
}));
look();
setInterval(look, 1000);
