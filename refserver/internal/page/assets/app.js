// Small comforts. Every page works without them.
(function () {
  'use strict';
  var all = function (q) { return [].slice.call(document.querySelectorAll(q)); };

  // A form is sent once, and its button says that something happens.
  document.addEventListener('submit', function (e) {
    if (e.defaultPrevented) return;
    var b = e.target.querySelector('button');
    if (e.target.sent) { e.preventDefault(); return; }
    if (e.target.method === 'post') {
      e.target.sent = true;
      if (b) { b.style.minWidth = b.offsetWidth + 'px'; b.textContent = '处理中…'; }
    }
  });
  // Back from the cache of the browser: what stands there is old.
  window.addEventListener('pageshow', function (e) { if (e.persisted) location.reload(); });

  // Countdowns. The visible clock ticks each second; the spoken one each minute.
  all('[data-seconds]').forEach(function (el) {
    var end = Date.now() + 1000 * el.getAttribute('data-seconds');
    var live = el.parentNode.querySelector('[aria-live]');
    var spoken = -1, over = end <= Date.now(); // already when the page came: loading it again would not help
    (function tick() {
      var s = Math.max(0, Math.ceil((end - Date.now()) / 1000)), m = Math.floor(s / 60);
      el.textContent = (m < 10 ? '0' : '') + m + ':' + (s % 60 < 10 ? '0' : '') + s % 60;
      if (live && m !== spoken) { spoken = m; live.textContent = s ? '剩余约 ' + (m + 1) + ' 分钟' : '时间已到'; }
      if (s) { setTimeout(tick, 1000); return; }
      if (el.hasAttribute('data-reload') && !over) location.reload();
    })();
  });

  // A label of the body map lights its shape, and the shape its label.
  all('[data-part]').forEach(function (el) {
    var key = '[data-part="' + el.getAttribute('data-part') + '"]';
    var lit = function (on) { return function () { all(key).forEach(function (x) { x.classList.toggle('lit', on); }); }; };
    ['mouseenter', 'focus'].forEach(function (e) { el.addEventListener(e, lit(true)); });
    ['mouseleave', 'blur'].forEach(function (e) { el.addEventListener(e, lit(false)); });
  });

  all('[data-close]').forEach(function (el) {
    el.addEventListener('click', function (e) {
      if (window.WeixinJSBridge) { e.preventDefault(); window.WeixinJSBridge.call('closeWindow'); }
    });
  });
})();
