// SPDX-License-Identifier: Apache-2.0
// Left out is what only JavaScript does, and .NET, in which GitHub evaluates, does not: 'ß' and 'ﬁ' become two letters in upper
// case, 'ſ', 'ı', 'İ' and 'ς' have other cases, numbers may be '0b1' or hexadecimal past 32 bits, blanks beyond ASCII count. And
// the package undoes only the first '' of a text.
// Random expressions of GitHub's language with contexts, the same ones for the same seed. Most are valid; some are damaged, so
// that errors are compared, too.

/// A small generator of numbers that needs nothing (mulberry32).
function numbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const kTexts = ['', ' ', 'a', 'A', 'abc', 'ABC', 'aBc', '0', '1', '-1', '+1', '.5', '1.', '5.', '1e3', '1E-2', '0x1F', '0xg', '0o17', 
  ' 12 ', '\t7\n', 'Infinity', '-Infinity', '+Infinity', 'infinity', 'NaN', 'true', 'false', 'null', 'SS', 'Σ', 'σ', 'é', 'É', 'i',
'ǆ', 'ǅ', 'Ǆ', '😀', 'K', 'k', 's', 'µ', 'μ', 'Ω', 'ω', 'refs/heads/main', 'v1.2.3', '[', '`', '{0}', '{1} {0}', '{{', '}}', '{0',
  '}', '{', '{{0}}', '{a}', '{-1}', "it's", '"', '\\', 'a,b', '1,2', '[1,"a",null,true]', '{"a":1,"B":{"c":[1,2]}}', '[[1,2],[3]]', '{}', '[]',
  '"text"', '12', 'nul', '{"a":', '1.10', '1.0', '100000000000000000000', '1e400', '-0', '0.1', '0.30000000000000004', '123456789012345678', '\u00a0',
  '\u2003x', 'x\u0000y', '-', '+', '--1', '1 2', '1_000', '0x', '0x7FFF', '-0x1', '0o', '0o8', '1e', 'e1', '٣'];
const kNumbers = ['0', '1', '-1', '+1', '.5', '-.5', '5.', '1.5', '2', '3', '10', '1e3', '1E2', '1e-3', '0x1F', '0xff', '0o17', '-0', '+0', '0.1', '0.2', '100', '255', '256',
  '1e21', '1e20', '1e15', '1e16', '123456789012345', '1234567890123456', '0.1234567890123456', '1e-5', '1e-7', '123.456', '1e308', '1e309', '0x7FFF', '00', '01', '1.0', '-1.50'];
const kNames = ['a', 'b', 'list', 'map', 'A', 'Map', 'text', 'number', 'nothing', 'yes', 'deep', 'x-y', '_u', 'a1', 'missing', 'empty', 'LIST'];
const kContexts = ['github', 'env', 'GITHUB', 'vars', 'needs', 'Env'];

export class Expressions {
  constructor(seed) {
    this.random = numbers(seed);
  }
  below(n) { return Math.floor(this.random() * n); }
  pick(list) { return list[this.below(list.length)]; }
  chance(p) { return this.random() < p; }

  quoted(text) { return `'${text.replaceAll("'", "''")}'`; }
  text() { return this.chance(0.85) ? this.pick(kTexts) : this.pick(kTexts) + this.pick(['a', ' ', 'Z', '{0}', ',', '[]', 'é']); }

  /// A JSON value for a context. Keys that look like indexes are left out: JavaScript moves them to the front.
  value(depth) {
    const kind = this.below(depth > 0 ? 8 : 5);
    if (kind === 0) return null;
    if (kind === 1) return this.chance(0.5);
    if (kind === 2) return this.pick([0, 1, -1, 0.5, 2, 1e21, 1e-7, 12345.678, 255, 1.7976931348623157e308, 123456789012345680]);
    if (kind < 5) return this.text();
    const size = this.below(4);
    if (kind < 7) return Array.from({ length: size }, () => this.value(depth - 1));
    const object = {};
    for (let i = 0; i < size; ++i) object[this.pick(kNames)] = this.value(depth - 1);
    // Keys that differ only in case are one key here and two there; no payload has them.
    const seen = new Set();
    for (const key of Object.keys(object)) {
      if (seen.has(key.toLowerCase())) delete object[key];
      seen.add(key.toLowerCase());
    }
    return object;
  }

  contexts() {
    const list = () => Array.from({ length: this.below(4) }, () => this.value(2));
    const group = () => ({ a: this.value(2), b: this.value(1), list: list(), map: { a: this.value(2), b: this.value(1), c: { a: 1 } }, text: this.text(),
      number: this.below(5), nothing: null, yes: this.chance(0.5), deep: [{ a: 1, b: [1, 2] }, { a: 'x', b: [{ a: 3 }] }, 5, null], 'x-y': 'dash', _u: this.value(1), empty: {} });
    return { github: group(), env: group(), vars: this.value(3) ?? {}, needs: this.value(3) ?? {} };
  }

  space() { return this.chance(0.9) ? '' : this.pick([' ', '  ', '\t', '\n', '\r\n']); }

  primary(depth) {
    switch (this.below(depth > 0 ? 12 : 6)) {
      case 0: return this.quoted(this.text());
      case 1: return this.pick(kNumbers);
      case 2: return this.pick(['true', 'false', 'null', 'NaN', 'Infinity', '-Infinity', 'true', 'false', 'null', 'true', 'false', this.chance(0.05) ? 'True' : 'null']);
      case 3: case 4: case 5: return this.pick(kContexts) + (this.chance(0.8) ? '.' + this.pick(kNames) : '');
      case 6: case 7: return `(${this.space()}${this.expression(depth - 1)}${this.space()})`;
      default: return this.call(depth - 1);
    }
  }

  call(depth) {
    const any = () => this.expression(depth);
    const list = () => this.pick([any, () => `fromJSON(${this.quoted(this.pick(['[1,"a",null,true,[2]]', '["A","b",""]', '{"a":1,"B":{"c":[1,2]}}', '[[1,2],[3]]', '[]', '{}']))})`])();
    const some = n => Array.from({ length: n }, any).join(this.pick([', ', ',']));
    switch (this.below(14)) {
      case 0: return `contains(${list()}, ${any()})`;
      case 1: return `startsWith(${any()}, ${any()})`;
      case 2: return `endsWith(${any()}, ${any()})`;
      case 3: return `format(${this.chance(0.8) ? this.quoted(this.pick(['{0}', '{0}{1}', '{{{0}}}', 'x{1}y{0}{1}', 'plain', '}}{{', '{0'])) : any()}, ${some(1 + this.below(3))})`;
      case 4: return `join(${list()}${this.chance(0.5) ? ', ' + any() : ''})`;
      case 5: return `toJSON(${this.chance(0.5) ? list() : any()})`;
      case 6: return `fromJSON(${this.chance(0.6) ? this.quoted(this.text()) : any()})`;
      case 7: return `fromJSON(toJSON(${any()}))`;
      case 8: return `case(${this.chance(0.7) ? this.comparison(depth) : any()}, ${some(2 + 2 * this.below(2))})`;
      case 9: return this.pick(['success()', 'failure()', 'always()', 'cancelled()', 'SUCCESS()']);
      case 10: return `${this.pick(['CONTAINS', 'StartsWith', 'ENDSWITH', 'Join', 'format'])}(${some(this.chance(0.95) ? 2 : this.below(4))})`;
      case 11: return this.chance(0.05) ? `${this.pick(['contains', 'nope', 'join', 'toJSON', 'hashfile'])}(${some(this.below(4))})` : `join(${list()}, ${any()})`;
      default: return `contains(${any()}, ${any()})`;
    }
  }

  postfix(depth) {
    let text = this.primary(depth);
    // A literal takes no index.
    const isLiteral = !/^[A-Za-z_(]/.test(text) || /^(true|false|null|NaN|Infinity)$/.test(text);
    if (isLiteral && !this.chance(0.01)) return text;
    for (let left = this.chance(0.4) ? 1 + this.below(3) : 0; left > 0; --left) {
      switch (this.below(6)) {
        case 0: case 1: text += `${this.space()}.${this.space()}${this.pick(kNames)}`; break;
        case 2: text += '.*'; break;
        case 3: text += '[*]'; break;
        case 4: text += `[${this.quoted(this.pick(kNames))}]`; break;
        default: text += `[${depth > 0 ? this.expression(depth - 1) : this.pick(kNumbers)}]`;
      }
    }
    return text;
  }

  unary(depth) { return (this.chance(0.15) ? this.pick(['!', '!!', '! ']) : '') + this.postfix(depth); }
  comparison(depth) { return `${this.unary(depth)}${this.pick([' ', ''])}${this.pick(['==', '!=', '<', '<=', '>', '>='])} ${this.unary(depth)}`; }

  expression(depth) {
    if (depth <= 0) return this.unary(0);
    switch (this.below(6)) {
      case 0: return this.comparison(depth - 1);
      case 1: return `${this.expression(depth - 1)} && ${this.expression(depth - 1)}`;
      case 2: return `${this.expression(depth - 1)} || ${this.expression(depth - 1)}`;
      case 3: return `${this.comparison(depth - 1)} ${this.pick(['==', '<', '!=', '>='])} ${this.unary(depth - 1)}`;
      default: return this.unary(depth);
    }
  }

  damaged(text) {
    const at = this.below(text.length + 1);
    const bits = ['(', ')', '[', ']', '.', ',', '*', '!', "'", '"', '&', '|', '=', '<', '-', '+', '$', '{', '}', '0', 'x', ' ', '%', '#', 'é', '..', '&&', "''", '\\', '?', ':', ';', '@', '~'];
    switch (this.below(3)) {
      case 0: return text.slice(0, at) + this.pick(bits) + text.slice(at);
      case 1: return text.slice(0, at) + text.slice(at + 1 + this.below(3));
      default: return text.slice(0, at) + this.pick(bits) + text.slice(at + 1);
    }
  }

  next() {
    let expr = this.expression(1 + this.below(4));
    if (this.chance(0.15)) expr = this.damaged(expr).toWellFormed();
    // The package takes a comma before a closing bracket, the runner does not.
    if (/,\s*\)/.test(expr)) return this.next();
    return { expr, contexts: this.contexts() };
  }
}
