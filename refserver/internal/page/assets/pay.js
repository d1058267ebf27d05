// The pay sheet, and the wait for what the server says about it. What the
// sheet says is never believed: it only decides when to ask.
(function () {
  'use strict';
  var form = document.querySelector('[data-pay]'), wait = document.querySelector('[data-poll]');

  function ask(method, url, body, done) {
    var x = new XMLHttpRequest();
    x.open(method, url);
    x.timeout = 15000;
    x.setRequestHeader('Accept', 'application/json');
    if (body) x.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
    x.onload = function () {
      var v = {};
      try { v = JSON.parse(x.responseText); } catch (e) { v = {}; }
      done(x.status < 300 ? v : { message: v.message || '支付暂时打不开，请稍后重试', result: v.result });
    };
    x.onerror = x.ontimeout = function () { done({ message: '网络不稳定，没有扣款。请检查网络后重试' }); };
    x.send(body);
  }

  if (form) {
    var button = form.querySelector('button'), say = document.querySelector('#pay-say'), label = button.textContent;
    var again = function (text) {
      button.disabled = false;
      button.textContent = label;
      say.textContent = text;
      say.hidden = !text;
    };
    var ready = function (f) {
      if (window.WeixinJSBridge) return f();
      var late = setTimeout(function () { again('请在微信中打开本页支付'); }, 5000);
      document.addEventListener('WeixinJSBridgeReady', function () { clearTimeout(late); f(); }, { once: true });
    };
    form.addEventListener('submit', function (e) {
      e.preventDefault();
      if (button.disabled) return;
      button.disabled = true;
      button.textContent = '处理中…';
      say.hidden = true;
      ask('POST', form.action, 'token=' + encodeURIComponent(form.token.value), function (sheet) {
        if (sheet.result) { location.replace(sheet.result); return; }
        if (sheet.message) { again(sheet.message); return; }
        ready(function () {
          window.WeixinJSBridge.invoke('getBrandWCPayRequest', sheet, function (res) {
            if (res.err_msg === 'get_brand_wcpay_request:ok') location.replace(form.getAttribute('data-pay'));
            else if (res.err_msg === 'get_brand_wcpay_request:cancel') again('您取消了支付。在倒计时结束前仍可继续支付');
            else again('支付没有成功，没有扣款时可以再试一次');
          });
        });
      });
    });
  }

  if (wait) {
    var left = 30; // 30 questions, 2 s apart: then the patient is told to look later
    (function next() {
      setTimeout(function () {
        ask('GET', wait.getAttribute('data-poll'), null, function (v) {
          if (v.state && v.state !== 'checking') { location.replace(location.href); return; }
          left -= 1;
          if (left > 0) next();
          else document.querySelector('#pay-late').hidden = false;
        });
      }, 2000);
    })();
  }
})();
