// SPDX-License-Identifier: Apache-2.0
// Evaluates random expressions by GitHub's own npm package and by `slipway expr --batch`, and prints where they differ.
//   node expressions.mjs SLIPWAY COUNT [SEED]
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Lexer, Parser, Evaluator, data, wellKnownFunctions } from '@actions/expressions';
import { Expressions } from './random_expressions.mjs';

const [slipway, count, seed] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4] ?? 1)];

function toData(value) {
  if (value === null) return new data.Null();
  if (typeof value === 'string') return new data.StringData(value);
  if (typeof value === 'number') return new data.NumberData(value);
  if (typeof value === 'boolean') return new data.BooleanData(value);
  if (Array.isArray(value)) return new data.Array(...value.map(toData));
  return new data.Dictionary(...Object.keys(value).map(key => ({ key, value: toData(value[key]) })));
}

const constant = value => () => new data.BooleanData(value);
const statusFunctions = [['always', true], ['success', true], ['failure', false], ['cancelled', false]].map(([name, value]) => ({
  name, minArgs: 0, maxArgs: name === 'success' || name === 'failure' ? 255 : 0, call: constant(value),
}));
const functions = [...statusFunctions, { name: 'hashFiles', minArgs: 1, maxArgs: 255, call: () => { throw new Error('no files'); } }];
const byName = new Map(functions.map(one => [one.name.toLowerCase(), one]));

/// "{0-}", "{1{0}": the package takes the digits and goes on behind the next brace, the runner's Format.cs refuses it.
const hasLooseIndex = text => /\{\d+[^}\d]/.test(text.replaceAll('{{', ''));

/// GitHub's runner evaluates arguments and indexes where it needs them; the package all of them first. That shows only where
/// one of them is an error. These follow the runner's Functions and Operators/Index.cs.
class Reference extends Evaluator {
  visitFunctionCall(call) {
    const name = call.functionName.lexeme.toLowerCase();
    if (name === 'case') return this.chosen(call);
    let failed;
    const values = call.args.map((arg, i) => {
      if (i === 0) return this.eval(arg);
      try {
        return this.eval(arg);
      } catch (error) {
        failed = error;
        return undefined;
      }
    });
    if (name === 'format' && values[0].primitive && hasLooseIndex(values[0].coerceString())) throw new Error('invalid format string');
    const answer = filler => byName.get(name)?.call(...values) ?? wellKnownFunctions[name].call(...values.map(value => value ?? filler));
    if (!failed) return answer();
    if (!['contains', 'startswith', 'endswith', 'join', 'format'].includes(name)) throw failed;
    // What no filler changes did not need the argument.
    const [one, two, three] = [new data.StringData(''), new data.StringData('\u0001'), new data.Array()].map(filler => JSON.stringify(answer(filler), data.replacer));
    const isRead = values[0].primitive && name !== 'format' && name !== 'join';
    if (one !== two || two !== three || isRead || (name === 'contains' && values[0].kind === data.Kind.Array && values[0].values().length > 0)) throw failed;
    return answer(new data.Null());
  }

  visitIndexAccess(access) {
    const star = access.index.constructor.name === 'Star';
    if (!star && this.eval(access.expr).primitive) return new data.Null();
    return super.visitIndexAccess(access);
  }

  chosen(call) {
    const last = call.args.length - 1;
    for (let i = 0; i < last; i += 2) {
      const predicate = this.eval(call.args[i]);
      if (predicate.kind !== data.Kind.Boolean) throw new Error('case: no boolean');
      if (predicate.value) return this.eval(call.args[i + 1]);
    }
    return this.eval(call.args[last]);
  }
}

/// What the package answers: [kind, value as JSON text] or [error kind, text].
function reference({ expr, contexts }) {
  let tree;
  try {
    tree = new Parser(new Lexer(expr).lex().tokens, Object.keys(contexts), functions).parse();
  } catch (error) {
    return ['parsing', error.message];
  }
  if (tree === undefined) return ['Null', 'null'];
  try {
    const value = new Reference(tree, toData(contexts), byName).evaluate();
    const kind = ['String', 'Array', 'Object', 'Boolean', 'Number', 'CaseSensitiveObject', 'Null'][value.kind];
    if (kind === 'Number' && !Number.isFinite(value.value)) return [kind, String(value.value)];
    return [kind, JSON.stringify(value, data.replacer)];
  } catch (error) {
    return ['evaluation', error.message];
  }
}

function ours(line) {
  const answer = JSON.parse(line);
  if (answer.error) return [answer.error.kind, answer.error.message];
  if (answer.number_text) return [answer.kind, answer.number_text];
  return [answer.kind, JSON.stringify(answer.value)];
}

function isSame(a, b) {
  if (a[0] !== b[0]) return false;
  return a[0] === 'evaluation' || a[0] === 'parsing' || a[1] === b[1];
}

function show(given, expected, got) {
  const contexts = process.env.SHOW_CONTEXTS ? { contexts: given.contexts } : {};
  console.log(JSON.stringify({ expr: given.expr, package: expected, slipway: got, ...contexts }));
}

const generator = new Expressions(seed);
const child = spawn(slipway, ['expr', '--batch', '-'], { stdio: ['pipe', 'pipe', 'inherit'] });
const waiting = [];
let different = 0;
const kinds = {};
const answers = (async () => {
  let number = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const { given, expected } = waiting[number];
    waiting[number++] = undefined;
    const got = ours(line);
    kinds[expected[0]] = (kinds[expected[0]] ?? 0) + 1;
    if (process.env.SHOW_PARSING && expected[0] === 'parsing') console.log(JSON.stringify([expected[1], given.expr]));
    if (isSame(expected, got)) continue;
    if (++different <= 40) show(given, expected, got);
  }
  return number;
})();
for (let i = 0; i < count; ++i) {
  const given = generator.next();
  waiting.push({ given, expected: reference(given) });
  if (!child.stdin.write(JSON.stringify(given) + '\n')) await new Promise(resolve => child.stdin.once('drain', resolve));
}
child.stdin.end();
const compared = await answers;
console.log(`${compared} of ${count} expressions compared (seed ${seed}), ${different} different; ${JSON.stringify(kinds)}`);
process.exit(compared === count && different === 0 ? 0 : 1);
