// SPDX-License-Identifier: Apache-2.0
// Reads workflow files by GitHub's own npm package and by `slipway lint`, and prints where they differ: what is refused, and where.
//   node workflows.mjs SLIPWAY COUNT [SEED]         random files
//   node workflows.mjs SLIPWAY schema                one for every place and kind of value that the package's schema knows
//   node workflows.mjs SLIPWAY DIRECTORY...         the files of directories
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseWorkflow, convertWorkflowTemplate, NoOperationTraceWriter } from '@actions/workflow-parser';
import { getWorkflowSchema } from '@actions/workflow-parser/workflows/workflow-schema';
import { TemplateContext, TemplateValidationErrors } from '@actions/workflow-parser/templates/template-context';
import { FeatureFlags } from '@actions/expressions/features';
import { Workflows } from './random_workflows.mjs';
import { schemaWorkflows } from './schema_workflows.mjs';

const [slipway, ...what] = process.argv.slice(2);

/// The package's errors as {line, column, message}; a file that is no YAML has errors without a place in the tree.
async function reference(name, content) {
  const flags = new FeatureFlags({ allowBackgroundSteps: true, allowCopilotRequestsPermission: true, all: true });
  const context = new TemplateContext(new TemplateValidationErrors(), getWorkflowSchema(), new NoOperationTraceWriter());
  context.state.featureFlags = flags;
  let isYaml = true;
  try {
    const parsed = parseWorkflow({ name, content }, context);
    isYaml = parsed.value !== undefined;
    if (parsed.value) await convertWorkflowTemplate(context, parsed.value, undefined, { featureFlags: flags, errorPolicy: 0 });
  } catch (error) {
    return { isYaml: false, errors: [{ line: 0, column: 0, message: String(error.message) }] };
  }
  // The place in the message is the value's, as GitHub shows it; the range may be a part of it.
  const lines = content.split('\n');
  const errors = context.errors.getErrors().map(one => {
    const place = one.message.match(/\(Line: (\d+), Col: (\d+)\)/) ?? [0, 0, 0];
    return { line: Number(place[1]), column: Number(place[2]), message: one.message };
  });
  // Of a dispatch GitHub takes inputs that say nothing (its own cases on-workflow_dispatch-inputs-null and -inputs).
  const isEmptyInput = one => /Unexpected value ''$/.test(one.message) && /workflow_dispatch\/(inputs\/)?[^/]+$/.test(keysTo(lines, one.line));
  const kept = errors.filter(one => !isEmptyInput(one));
  return { isYaml, errors: kept, isRefused: errors.length > 0 };
}

/// The keys above a line of a block-style file: "on/workflow_dispatch/inputs".
function keysTo(lines, number) {
  const keys = [];
  let indent = Infinity;
  for (let i = number - 1; i >= 0; --i) {
    const key = lines[i]?.match(/^( *)([^ :#-][^:]*):/);
    if (!key || key[1].length >= indent) continue;
    indent = key[1].length;
    keys.unshift(key[2]);
  }
  return keys.join('/');
}

function ours(files) {
  let text;
  try {
    text = execFileSync(slipway, ['lint', '--format', 'json', '--no-shellcheck', ...files], { maxBuffer: 1 << 30 });
  } catch (error) {
    if (error.status !== 1) throw error;
    text = error.stdout;
  }
  const byFile = new Map(files.map(file => [path.basename(file), []]));
  for (const one of JSON.parse(text).findings) if (one.rule === 'syntax') byFile.get(path.basename(one.file))?.push(one);
  return byFile;
}

// The differences that are none of slipway's, each with its reason. Everything else is counted.
//   errors-anchor-tag, errors-max-result-size, errors-reusable-workflow-max-result-size and errors-max-job-limit-… of GitHub's own
//   parser cases are left out in src/workflow/read_workflow_test.cpp: anchors are allowed since August 2025, the limits are the
//   service's memory and a customer's plan.
// What GitHub's service refuses and the package does not look at.
const kOnlyOurs = [/may not be used more than once/, /^Matrix /, /^Concurrency group name/, /Expected format \{org\}/, /the tag '/, /is invalid for the type/,
  /^a scalar in quotes/, /called workflow '.*' does not exist/, /a key must be text/, /^Container image cannot be empty/, /A sequence was not expected/];
// `services: ${{ … }}`: the runner's converter takes it, the package loses the whole job over it and says that no job is left.
const kLosesJob = text => /^ +services: .*\$\{\{/m.test(text);
// What the package takes for wrong and GitHub does not.
const kOnlyPackage = [/while reading 'input default'/, /Cannot read properties/, /raw\.indexOf is not a function/, /Expected scalar type/, /Unexpected type 'BasicExpressionToken'/];

const cases = [];
const root = fs.mkdtempSync(path.join(os.tmpdir(), 'slipway-differential-'));
if (/^\d+$/.test(what[0] ?? '')) {
  const source = new Workflows(Number(what[1] ?? 1));
  for (let i = 0; i < Number(what[0]); ++i) cases.push([`w${i}.yml`, source.next()]);
} else if (what[0] === 'schema') {
  cases.push(...schemaWorkflows());
} else {
  for (const directory of what) {
    for (const name of fs.readdirSync(directory).sort()) if (/\.ya?ml$/.test(name)) cases.push([name, fs.readFileSync(path.join(directory, name), 'utf8')]);
  }
}
let different = 0;
const sums = { accepted: 0, refused: 0, 'no YAML': 0 };
for (let start = 0; start < cases.length; start += 500) {
  const some = cases.slice(start, start + 500);
  for (const [name, text] of some) fs.writeFileSync(path.join(root, name), text);
  const found = ours(some.map(([name]) => path.join(root, name)));
  for (const [name, text] of some) {
    const expected = await reference(name, text);
    const got = found.get(name);
    sums[expected.errors.length === 0 ? 'accepted' : expected.isYaml ? 'refused' : 'no YAML']++;
    const wanted = expected.errors.filter(one => !kOnlyPackage.some(form => form.test(one.message)) && !(kLosesJob(text) && /at least one job/.test(one.message)));
    // Before a value with an anchor or tag GitHub's reader stands at the anchor, the package at the value; of a value that is
    // not there one stands behind the colon, the other behind the blanks; of an expression the package tells where in the value it is.
    const isMarked = one => /[:-] +[&!]|[:-] +$|\$\{\{/.test(text.split('\n')[one.line - 1] ?? '');
    const has = one => got.some(other => other.line === one.line && (other.column === one.column || isMarked(one)));
    // GitHub's reader ends at an alias without an anchor; the package reads on with nothing in its place.
    const isCut = got.some(one => /^no anchor '/.test(one.message));
    const missing = expected.isYaml && !isCut ? wanted.filter(one => !has(one)) : got.length ? [] : wanted;
    const extra = expected.isRefused || expected.errors.length || got.every(one => kOnlyOurs.some(form => form.test(one.message))) ? [] : got;
    if (!missing.length && !extra.length) continue;
    if (++different <= Number(process.env.SHOW ?? 30)) {
      const show = list => list.map(one => `${one.line}:${one.column} ${one.message.slice(0, 140)}`);
      const near = new Set([...missing, ...extra].map(one => one.line));
      console.log(JSON.stringify({ name, only_package: show(missing), only_slipway: show(extra), lines: text.split('\n').filter((_, i) => near.has(i + 1)).map(line => line.slice(0, 100)) }));
      if (process.env.KEEP) fs.writeFileSync(path.join(process.env.KEEP, name), text);
    }
  }
  for (const [name] of some) fs.rmSync(path.join(root, name));
}
fs.rmdirSync(root);
console.log(`${cases.length} files compared, ${different} different; ${JSON.stringify(sums)}`);
process.exit(different ? 1 : 0);
