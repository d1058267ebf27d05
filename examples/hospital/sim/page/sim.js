"use strict";
// The test bed: it shows what the simulators know and sends what buttons say.
// Pages of the hospital run in the frame; this page is the WeChat around them.
const $ = (id) => document.getElementById(id);
const states = { held: "锁号", registered: "已挂号", arrived: "已取号", fulfilled: "已就诊", cancelled: "已取消", suspended: "停诊" };
const home = document.body.dataset.home;
const drawn = {};
let after = 0, pending = null;

function tell(text, bad) {
  $("said").textContent = text;
  $("said").classList.toggle("bad", !!bad);
}

async function send(path, order) {
  let said;
  try {
    const answer = await fetch("/sim/" + path, { method: "POST", body: JSON.stringify(order) });
    said = (await answer.json()) || {};
    if (!answer.ok) said = { error: said.error || "模拟台没有收下。" };
  } catch {
    said = { error: "模拟台没有回答；程序还在运行吗？" };
  }
  if (said.error) tell("没有做成：" + said.error, true);
  else if (said.said) tell(said.said);
  await look();
  return said.error ? null : said;
}

function element(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

function press(text, act, className) {
  const button = element("button", className, text);
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

function option(value, text) {
  const o = element("option", "", text);
  o.value = value;
  return o;
}

// redraw calls draw when what it shows has changed, so that nothing moves under
// a finger.
function redraw(name, content, draw) {
  const now = JSON.stringify(content);
  if (drawn[name] === now) return;
  drawn[name] = now;
  draw(content);
}

function open(url) {
  $("web").hidden = false;
  $("chat").hidden = $("say").hidden = $("menu").hidden = true;
  $("back").hidden = false;
  $("title").textContent = "医院页面";
  $("web").src = url;
  $("web").focus(); // the keyboard is on the phone's page now
  done("page");
}

function close() {
  $("web").hidden = true;
  $("web").src = "about:blank";
  $("chat").hidden = $("say").hidden = $("menu").hidden = false;
  $("back").hidden = true;
  $("title").textContent = "医院公众号";
  $("chat").focus();
  look();
}

// done ticks a step of the tour off, for as long as the tab is open.
function done(step) {
  const item = document.querySelector(`#tour [data-step="${step}"]`);
  if (!item || item.classList.contains("done")) return;
  item.classList.add("done");
  item.append(element("span", "hidden", "（已完成）"));
  sessionStorage.setItem("tour-" + step, "1");
  const steps = document.querySelectorAll("#tour li").length, ticked = document.querySelectorAll("#tour li.done").length;
  $("progress").textContent = ticked === steps ? "全部完成，谢谢您的体验" : `${ticked} / ${steps}，做到哪一步会自动打勾`;
}

// leads makes a link that opens on the phone.
function leads(words, url) {
  const link = element("a", "", words);
  link.href = url;
  link.addEventListener("click", (event) => { event.preventDefault(); open(url); });
  return link;
}

// spoken shows a text as WeChat does: <a href> is a link, everything else is words.
function spoken(text) {
  return text.split(/(<a href="[^"<>]*">[^<>]*<\/a>)/).map((part) => {
    const link = part.match(/^<a href="(https?:[^"]*)">(.*)<\/a>$/);
    return link ? leads(link[2], link[1]) : part;
  });
}

function bubble(b) {
  const cards = b.cards || [];
  const e = element("div", "bubble " + b.from + (cards.length ? " card" : ""));
  e.append(...spoken(b.text || ""));
  for (const card of cards) {
    e.append(element("h3", "", card.title));
    if (card.text) e.append(element("p", "", card.text));
    const list = element("dl");
    for (const line of card.lines || []) list.append(element("dt", "", line.name), element("dd", "", line.value));
    e.append(list);
    if (card.url) e.append(leads("查看详情", card.url));
  }
  return e;
}

function chat(bubbles) {
  $("chat").replaceChildren(...bubbles.map(bubble));
  $("chat").scrollTop = $("chat").scrollHeight;
  if (bubbles.some((b) => (b.cards || []).some((card) => b.kind === "template" && /预约|挂号/.test(card.title)))) done("told");
}

function menu(entries) {
  if (!entries.length) { // no menu was published, or nobody follows
    $("menu").replaceChildren(press("医院首页", () => open(home)));
    return;
  }
  $("menu").replaceChildren(...entries.map((entry) => {
    const column = element("div");
    if (!entry.sub) {
      column.append(press(entry.name, () => tap(entry.name)));
      return column;
    }
    const list = element("ul");
    list.hidden = true;
    const button = press(entry.name, () => {
      const shut = !list.hidden;
      document.querySelectorAll("#menu ul").forEach((other) => { other.hidden = true; });
      document.querySelectorAll("#menu [aria-expanded]").forEach((other) => other.setAttribute("aria-expanded", "false"));
      list.hidden = shut;
      button.setAttribute("aria-expanded", String(!shut));
    });
    button.setAttribute("aria-expanded", "false");
    for (const name of entry.sub) {
      const item = element("li");
      item.append(press(name, () => { list.hidden = true; button.setAttribute("aria-expanded", "false"); tap(name); }));
      list.append(item);
    }
    column.append(button, list);
    return column;
  }));
}

async function tap(name) {
  const said = await send("tap", { button: name });
  if (said && said.url) open(said.url);
}

// What the hospital's people may still do with a registration in a state.
const acts = { registered: [["arrive", "取号"], ["see", "就诊"], ["noshow", "爽约"]], arrived: [["see", "就诊"]] };

function visits(rows) {
  if (!rows.length) {
    const empty = element("td", "", "还没有人挂号。");
    empty.colSpan = 6;
    const row = element("tr");
    row.append(empty);
    $("visits").replaceChildren(row);
    return;
  }
  $("visits").replaceChildren(...rows.map((v) => {
    const row = element("tr");
    let state = states[v.state] || v.state;
    if (v.over && v.state === "registered") state = "没有来";
    row.append(element("td", "", v.his_no), element("td", "", (v.online ? "手机 " : "窗口 ") + v.patient),
      element("td", "", v.clinic + " " + v.queue_no + " 号"), element("td", "", state), element("td", "number", v.paid));
    const cell = element("td");
    for (const [verb, word] of v.over ? [] : acts[v.state] || []) {
      const button = press(word, () => send("hospital", { verb, his_no: v.his_no }));
      button.setAttribute("aria-label", word + " " + v.his_no);
      cell.append(button);
    }
    row.append(cell);
    return row;
  }));
}

function bills(rows) {
  if (!rows.length) {
    $("bills").replaceChildren(element("li", "empty", "没有未付的账单。"));
    return;
  }
  $("bills").replaceChildren(...rows.map((b) => {
    const item = element("li");
    item.append(element("span", "", `${b.patient} ${b.kind} ${b.amount} 元`),
      press("改单", () => send("hospital", { verb: "rebill", bill: b.id })), press("窗口收费", () => send("hospital", { verb: "settle", bill: b.id })));
    item.title = b.id;
    return item;
  }));
}

function choose(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options);
  if (options.some((o) => o.value === chosen)) select.value = chosen;
}

function days(list) {
  choose($("day"), list.map((day, i) => option(day, i === 0 ? "今天" : i === 1 ? "明天" : day.slice(5))));
  clinics();
}

async function clinics() {
  const answer = await fetch("/sim/clinics?day=" + $("day").value);
  if (!answer.ok) return;
  const said = await answer.json();
  redraw("clinics", said.clinics, (list) => choose($("clinic"), list.map((c) => option(c.id, c.name + (c.suspended ? "（停诊）" : `（余 ${c.left}）`)))));
}

// log shows what crossed a wire. What the server asks again and again, with
// nothing much between, is one line that counts.
const polled = 4;
function log(c) {
  const key = JSON.stringify([c.wire, c.call, c.summary, c.outcome]);
  const again = [...$("wire").children].slice(0, polled).find((line) => line.dataset.key === key);
  const times = again ? Number(again.dataset.times) + 1 : 1;
  const line = again || element("li", c.outcome === "ok" || c.outcome.startsWith("replied") ? "" : "odd");
  const summary = times > 1 ? `×${times} ${c.summary}` : c.summary;
  line.replaceChildren(...[c.time, c.wire, c.call, summary, c.outcome].map((text) => element("span", "", text)));
  line.title = c.summary;
  Object.assign(line.dataset, { key, times });
  if (!again) $("wire").prepend(line);
}

async function look() {
  let s;
  try {
    const answer = await fetch("/sim/state?after=" + after);
    if (!answer.ok) return;
    s = await answer.json();
  } catch {
    tell("模拟台没有回答；程序还在运行吗？", true);
    return;
  }
  $("now").textContent = s.now;
  $("faults").textContent = s.faults.length ? "现在：" + s.faults.join("、") : "";
  for (const c of s.wire) {
    if (c.no <= after) continue; // two looks at once
    after = c.no;
    log(c);
    if (c.outcome === "answer_lost" && c.wire.endsWith("HIS")) done("fault");
    if (c.outcome !== "ok") continue;
    if (c.call === "Confirm") done(c.summary.includes("Paid=") ? "paid" : "booked");
    if (c.summary.includes("REFUND.SUCCESS")) done("cancelled");
  }
  while ($("wire").children.length > 200) $("wire").lastChild.remove();
  redraw("days", s.days, days);
  redraw("chat", s.chat, chat);
  redraw("menu", s.menu, menu);
  redraw("visits", s.visits, visits);
  redraw("bills", s.bills, bills);
  redraw("texts", s.texts, (texts) => {
    $("texts").replaceChildren(...(texts.length ? texts.map((t) => element("li", "", t.to + "：" + t.text)) : [element("li", "empty", "还没有短信。")]));
    $("texts").scrollTop = $("texts").scrollHeight;
  });
  redraw("people", s.people, (people) => {
    $("people").replaceChildren(...people.map((p) => element("li", "", p.name + "　" + p.id_number + (p.insured ? "　医保" : "　自费"))));
    choose($("who"), people.map((p) => option(p.id, p.name)));
  });
}

// The WeChat that the page in the frame finds around it.
function lend() {
  const page = $("web").contentWindow;
  try { void page.document; } catch { return; } // another host: the login page
  page.WeixinJSBridge = {
    invoke(name, request, answer) {
      if (name !== "getBrandWCPayRequest") { answer({ err_msg: name + ":fail" }); return; }
      ask(request, answer);
    },
    call(name) { if (name === "closeWindow") close(); },
    on() {},
  };
  page.document.dispatchEvent(new Event("WeixinJSBridgeReady"));
}

// ask opens the pay sheet.
async function ask(request, answer) {
  pending = { request, answer };
  $("what").textContent = $("amount").textContent = "";
  $("sheet").showModal();
  const said = await send("sheet", { sheet: request });
  if (said) {
    $("what").textContent = said.what;
    $("amount").textContent = "¥ " + said.amount;
  }
}

// settle carries out what the payer does with the sheet. The page hears of a
// payment and of a refusal; of a sheet that was simply left it hears nothing.
async function settle(how) {
  if (!pending) return;
  const { request, answer } = pending;
  pending = null;
  $("sheet").close();
  if (how === "cancel") {
    tell("患者取消了支付，订单还在。");
    answer({ err_msg: "get_brand_wcpay_request:cancel" });
    return;
  }
  if (how === "later") {
    tell("患者关掉了页面，没有付款；到期前可以回来付。");
    close();
    return;
  }
  const said = await send("pay", { how, sheet: request });
  answer({ err_msg: "get_brand_wcpay_request:" + (said && how !== "fail" ? "ok" : "fail") });
}

$("sheet").addEventListener("click", (event) => { if (event.target.dataset.how) settle(event.target.dataset.how); });
$("sheet").addEventListener("cancel", (event) => { event.preventDefault(); settle("cancel"); });
$("web").addEventListener("load", lend);
$("back").addEventListener("click", close);
$("day").addEventListener("change", clinics);
$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("words").value.trim();
  $("words").value = "";
  if (text) send("say", { text });
});
document.querySelectorAll("[data-verb]").forEach((button) => button.addEventListener("click", async () => {
  button.disabled = true; // one press, one act
  const verb = button.dataset.verb;
  const said = await send("hospital", { verb, schedule: $("clinic").value, patient: $("who").value });
  button.disabled = false;
  if (said && verb === "tomorrow") done("time");
  if (said && ["release", "sell", "suspend"].includes(verb)) clinics();
}));
document.querySelectorAll("#tour li").forEach((item) => { if (sessionStorage.getItem("tour-" + item.dataset.step)) done(item.dataset.step); });
look();
setInterval(look, 1000);
