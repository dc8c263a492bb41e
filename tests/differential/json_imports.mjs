// SPDX-License-Identifier: Apache-2.0
// The parser's package imports JSON without saying so, which newer Node versions refuse.
export async function load(url, context, next) {
  if (!url.endsWith('.json')) return next(url, context);
  return next(url, { ...context, importAttributes: { type: 'json' }, importAssertions: { type: 'json' } });
}
