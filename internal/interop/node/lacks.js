// What a package cannot do.
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');

// lacks returns the names of calls after it has made sure that no file of the
// packages knows the path, or the word, which such a call needs.
module.exports = function lacks(packages, wordOf) {
  const text = packages.map((name) => {
    const folder = path.dirname(require.resolve(name));
    const files = fs.readdirSync(folder, { recursive: true }).filter((file) => file.endsWith('.js') && !file.includes('node_modules'));
    assert.ok(files.length > 0, `${name} has no files`);
    return files.map((file) => fs.readFileSync(path.join(folder, file), 'utf8')).join('\n');
  }).join('\n');
  assert.ok(text.includes('menu/create'), 'the search finds nothing');
  for (const [call, word] of Object.entries(wordOf)) assert.ok(!text.includes(word), `${call}: ${word} is there`);
  return Object.keys(wordOf);
};
