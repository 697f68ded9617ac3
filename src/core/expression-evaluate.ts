// Computes an expression's tree over a scope: synchronous, own properties of plain JSON only, and total but for the
// meter: what is not there is null, and what cannot be computed (text times two, a division by zero) is null too.

import type { Scope } from './expression.ts';
import { finite } from './expression-functions.ts';
import { isReservedName } from './expression-scan.ts';
import type { Node, Root } from './expression-tree.ts';
import { areEqual, compare, type Meter, toNumber, toText } from './expression-values.ts';
import { isJsonObject, type Json } from './json.ts';
import { placeholderOf } from './secrets.ts';

interface Frame {
  scope: Scope;
  meter: Meter;
  /** The element that the innermost filter looks at. */
  element: Json;
}

/** The value of `tree`; throws `ExpressionFault` when it costs too much. The result may share parts with the scope. */
export function evaluateTree(tree: Node, scope: Scope, meter: Meter): Json {
  return evaluate(tree, { scope, meter, element: null });
}

function evaluate(node: Node, frame: Frame): Json {
  frame.meter.step();
  switch (node.kind) {
    case 'value':
      return node.value;
    case 'root':
      return readRoot(node.name, frame.scope);
    case 'secret':
      return placeholderOf(node.name);
    case 'element':
      return frame.element;
    case 'property':
      return readProperty(evaluate(node.of, frame), node.name);
    case 'index':
      return readIndex(evaluate(node.of, frame), evaluate(node.by, frame));
    case 'filter':
      return filter(evaluate(node.of, frame), node.where, frame);
    case 'unary':
      return applyUnary(node.operator, evaluate(node.of, frame));
    case 'binary':
      return evaluateBinary(node, frame);
    case 'choice':
      return choose(node, frame);
    case 'call':
      return node.call(
        frame.meter,
        node.args.map((arg) => evaluate(arg, frame)),
      );
    case 'list':
      return node.items.map((item) => evaluate(item, frame));
    case 'object':
      // Defines each key as an own property, whatever it is called; assignment would not.
      return Object.fromEntries(node.entries.map(([key, value]) => [key, evaluate(value, frame)]));
  }
}

function readRoot(name: Root, scope: Scope): Json {
  switch (name) {
    case 'data':
      return scope.data;
    case 'steps':
      return scope.steps as { [id: string]: { output: Json } };
    case 'run':
      return scope.run;
    case 'context':
      return scope.context;
    case 'item':
      return scope.item ?? null;
    case 'index':
      return scope.index ?? null;
  }
}

function readProperty(value: Json, name: string): Json {
  if (typeof value === 'string' || Array.isArray(value)) return name === 'length' ? value.length : null;
  if (!isJsonObject(value) || isReservedName(name) || !Object.hasOwn(value, name)) return null;
  return value[name] ?? null;
}

function readIndex(value: Json, by: Json): Json {
  if (typeof by === 'string') return readProperty(value, by);
  if (typeof by !== 'number') return null;
  if (Array.isArray(value)) return value[by] ?? null;
  return readProperty(value, String(by));
}

function filter(value: Json, where: Node, frame: Frame): Json {
  if (value === null) return [];
  const list = Array.isArray(value) ? value : [value];
  return frame.meter.list(list.filter((element) => Boolean(evaluate(where, { ...frame, element }))));
}

function choose(node: Extract<Node, { kind: 'choice' }>, frame: Frame): Json {
  const test = evaluate(node.test, frame);
  if (!test) return evaluate(node.otherwise, frame);
  return node.then ? evaluate(node.then, frame) : test;
}

function applyUnary(operator: string, value: Json): Json {
  if (operator === '!') return !value;
  const number = toNumber(value);
  return number === null ? null : finite(operator === '+' ? number : -number);
}

function evaluateBinary({ operator, left, right }: Extract<Node, { kind: 'binary' }>, frame: Frame): Json {
  const a = evaluate(left, frame);
  if (operator === '&&') return a ? evaluate(right, frame) : a;
  if (operator === '||') return a ? a : evaluate(right, frame);
  const b = evaluate(right, frame);
  switch (operator) {
    case '==':
      return areEqual(frame.meter, a, b);
    case '!=':
      return !areEqual(frame.meter, a, b);
    case 'in':
      return isIn(frame.meter, a, b);
    case '+':
      if (typeof a === 'string' || typeof b === 'string')
        return frame.meter.text(toText(frame.meter, a) + toText(frame.meter, b));
      return calculate(operator, a, b);
    case '<':
    case '<=':
    case '>':
    case '>=':
      return isOrdered(operator, compare(frame.meter, a, b));
    default:
      return calculate(operator, a, b);
  }
}

/** An order that does not exist is false either way: a missing amount is neither under nor over a limit. */
function isOrdered(operator: string, order: number | null): boolean {
  if (order === null) return false;
  if (operator === '<') return order < 0;
  if (operator === '<=') return order <= 0;
  return operator === '>' ? order > 0 : order >= 0;
}

function isIn(meter: Meter, part: Json, whole: Json): boolean {
  if (typeof whole === 'string') {
    meter.charge(whole.length);
    return part !== null && whole.includes(toText(meter, part));
  }
  if (Array.isArray(whole)) {
    meter.charge(whole.length);
    return whole.includes(part);
  }
  return isJsonObject(whole) && typeof part === 'string' && Object.hasOwn(whole, part);
}

function calculate(operator: string, left: Json, right: Json): Json {
  const a = toNumber(left);
  const b = toNumber(right);
  if (a === null || b === null) return null;
  switch (operator) {
    case '+':
      return finite(a + b);
    case '-':
      return finite(a - b);
    case '*':
      return finite(a * b);
    case '/':
      return finite(a / b);
    case '//':
      return finite(Math.floor(a / b));
    case '%':
      return finite(a % b);
    case '^':
      return finite(a ** b);
    default:
      return null;
  }
}
