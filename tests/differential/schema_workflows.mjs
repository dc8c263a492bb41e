// SPDX-License-Identifier: Apache-2.0
// A workflow for every place that the package's schema knows and every kind of value there: [name, text] pairs.
import { getWorkflowSchema } from '@actions/workflow-parser/workflows/workflow-schema';

const kContexts = ['github', 'inputs', 'vars', 'needs', 'strategy', 'matrix', 'secrets', 'steps', 'job', 'runner', 'env', 'jobs', 'nope'];
const kFunctions = ['success()', "success('a')", 'always()', 'cancelled()', 'failure()', "hashFiles('a')", "contains('a', 'b')", "case(true, 1, 2)", 'nope()'];
const kLiterals = ['', '~', 'true', '1', '1.5', 'text', "''", '"1"', 'read', 'write', '[]', '[a]', '[1]', '[[a]]', '{}', '{a: b}', '{a: {}}', '[{a: b}]', '!!str 1', '!!int x', '.nan'];
const values = [...kLiterals, ...kContexts.map(name => `\${{ ${name}.a }}`), ...kFunctions.map(call => `\${{ ${call} }}`), 'a ${{ github.a }} b', '${{ github.a', '${{ insert }}'];

/// Every path of the schema from a definition on, at most `depth` deep.
function paths(schema, name, path, depth, found) {
  found.push(path);
  if (depth === 0) return;
  const definition = schema.getDefinition(name);
  for (const choice of [definition, ...(definition.oneOf ?? []).map(one => schema.getDefinition(one))]) {
    for (const [key, property] of Object.entries(choice.properties ?? {})) paths(schema, property.type, [...path, key], depth - 1, found);
    if (choice.looseValueType) paths(schema, choice.looseValueType, [...path, path.at(-1) === 'jobs' ? 'a' : 'k'], depth - 1, found);
    if (choice.itemType) paths(schema, choice.itemType, [...path, 0], depth - 1, found);
  }
}

// A tree with a value, as text, at a path.
function place(tree, path, value) {
  if (path.length === 0) return value;
  const [key, ...rest] = path;
  if (typeof key === 'number') return [place(undefined, rest, value)];
  const copy = tree !== null && typeof tree === 'object' && !Array.isArray(tree) ? { ...tree } : {};
  copy[key] = place(copy[key], rest, value);
  return copy;
}

class Text {
  constructor(text) { this.text = text; }
}

function lines(tree, indent) {
  if (tree instanceof Text) return ` ${tree.text}\n`;
  if (Array.isArray(tree)) return '\n' + tree.map(item => `${indent}-${item instanceof Text || Array.isArray(item) ? lines(item, indent + '  ') : '\n' + lines(item, indent + '  ').slice(1)}`).join('');
  if (tree !== null && typeof tree === 'object') return '\n' + Object.entries(tree).map(([key, item]) => `${indent}${key}:${lines(item, indent + '  ')}`).join('');
  return ` ${tree}\n`;
}

export function schemaWorkflows() {
  const found = [];
  paths(getWorkflowSchema(), 'workflow-root-strict', [], 8, found);
  const seen = new Set();
  const cases = [];
  for (const path of found) {
    if (path.length === 0 || seen.has(path.join('/'))) continue;
    seen.add(path.join('/'));
    const isCall = path[0] === 'jobs' && ['uses', 'with', 'secrets'].includes(path[2]);
    const job = isCall ? { uses: './.github/workflows/b.yml' } : { 'runs-on': 'x', steps: [{ run: 'x' }] };
    for (const value of values) {
      const tree = place({ on: 'push', jobs: { a: job } }, path, new Text(value));
      cases.push([`s${cases.length}.yml`, lines(tree, '').slice(1)]);
    }
  }
  return cases;
}
