// An expression as a tree that may be walked: the JEXL grammar's own tree, checked node by node and written in our words.
// The grammar is @pawel-up/jexl's; its evaluator is never called. What a node computes is core/expression-evaluate.ts.

import { type ASTNode, Jexl } from '@pawel-up/jexl';
import { LRUCache } from 'lru-cache';
import { ExpressionFault } from './expression-fault.ts';
import { type ExpressionFunction, FUNCTIONS } from './expression-functions.ts';
import { refuseReserved, type Scanned, scanExpression } from './expression-scan.ts';
import type { Json } from './json.ts';
import { SECRET_NAME, SECRET_NAME_RULE } from './secrets.ts';

export const ROOTS = ['data', 'steps', 'run', 'context', 'item', 'index'] as const;
export type Root = (typeof ROOTS)[number];

export type Node =
  | { kind: 'value'; value: Json }
  | { kind: 'root'; name: Root }
  /** Stands for a secret: its value is never known to an expression. */
  | { kind: 'secret'; name: string }
  /** The element that the filter around it looks at. */
  | { kind: 'element' }
  | { kind: 'property'; of: Node; name: string }
  | { kind: 'index'; of: Node; by: Node }
  | { kind: 'filter'; of: Node; where: Node }
  | { kind: 'unary'; operator: string; of: Node }
  | { kind: 'binary'; operator: string; left: Node; right: Node }
  /** Without `then` the test's own value is taken (`a ?: b`). */
  | { kind: 'choice'; test: Node; then: Node | null; otherwise: Node }
  | { kind: 'call'; call: ExpressionFunction['call']; args: Node[] }
  | { kind: 'list'; items: Node[] }
  | { kind: 'object'; entries: [string, Node][] };

export type Reads = ReadonlySet<string> | 'all';

/** Bounds our own recursion, here and in the evaluator. */
const MAX_DEPTH = 250;

const NO_READS: ReadonlySet<string> = new Set();

const grammar = new Jexl();
// Without a prototype, so that `data.toString` is a name like any other and finds no inherited function.
grammar.grammar.elements = Object.assign(Object.create(null), grammar.grammar.elements);

/** Definitions are parsed when they are saved, planned and run, and most expressions have one of a few forms: bounded. */
const parsed = new LRUCache<string, ASTNode>({
  max: 2_000,
  maxSize: 300_000,
  sizeCalculation: (_, form) => form.length,
});
/** Reading a new form takes the grammar about a microsecond a character; definitions of people have a few dozen forms. */
const MAX_FORM_CHARS = 100_000;
/** Every name, value and sign takes about a fifth of a microsecond: 60,000 conditions such as `data.x == 5` are 300,000. */
const MAX_TOKENS = 500_000;

/** What the expressions of one definition may cost together, so that checking it never takes long. */
export class ExpressionBudget {
  readonly #forms = new Set<string>();
  #chars = MAX_FORM_CHARS;
  #tokens = MAX_TOKENS;

  /** Throws `ExpressionFault` when there is no room for the expression, or was none for one before it. */
  spend({ source: form, tokens }: Scanned): void {
    this.check();
    this.#tokens -= tokens;
    this.check();
    if (this.#forms.has(form)) return;
    if (this.#chars < form.length)
      throw new ExpressionFault('is one too many that is built unlike the others; write them alike, or use a tool');
    this.#chars -= form.length;
    this.#forms.add(form);
  }

  /** Throws `ExpressionFault` when nothing is left, whatever the next expression is. */
  check(): void {
    if (this.#tokens >= 0) return;
    throw new ExpressionFault(
      `is one too many: the expressions of a workflow have at most ${MAX_TOKENS} names, values and signs together`,
    );
  }
}

/** Parses bare JEXL; throws `ExpressionFault` with what is wrong as a predicate ("is empty"). `secret`: all it is. */
export function parseTree(
  source: string,
  budget?: ExpressionBudget,
): { tree: Node; reads: Reads; secret: string | null } {
  budget?.check();
  const scanned = scanExpression(source);
  if (scanned.source.trim() === '') throw new ExpressionFault('is empty');
  budget?.spend(scanned);
  const builder = new TreeBuilder(scanned);
  const tree = builder.build(parseGrammar(scanned));
  if (builder.usesSecret && tree.kind !== 'secret')
    throw new ExpressionFault('computes with a secret, whose value no expression can see; write ${secrets.NAME} alone');
  return { tree, reads: builder.reads, secret: tree.kind === 'secret' ? tree.name : null };
}

function parseGrammar(scanned: Scanned): ASTNode | null {
  const known = parsed.get(scanned.source);
  if (known) return known;
  try {
    const ast = grammar.compile(scanned.source)._ast;
    if (ast) parsed.set(scanned.source, ast);
    return ast;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ExpressionFault(`cannot be read: ${scanned.restore(message)}`);
  }
}

class TreeBuilder {
  readonly #scanned: Scanned;
  #reads: Set<string> | 'all' = new Set();
  #depth = 0;
  #filters = 0;
  usesSecret = false;
  /** Whether the filter that is being built looks at its element. */
  #usesElement = false;

  constructor(scanned: Scanned) {
    this.#scanned = scanned;
  }

  get reads(): Reads {
    return this.#reads !== 'all' && this.#reads.size === 0 ? NO_READS : this.#reads;
  }

  build(ast: ASTNode | null | undefined): Node {
    if (!ast) throw new ExpressionFault('is incomplete: an operand is missing');
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new ExpressionFault('is nested too deeply');
    const node = this.#build(ast);
    this.#depth -= 1;
    return node;
  }

  #build(ast: ASTNode): Node {
    switch (ast.type) {
      case 'Literal':
        return { kind: 'value', value: this.#literal(ast.value) };
      case 'Identifier':
        return this.#identifier(ast);
      case 'FilterExpression':
        return this.#bracket(ast);
      case 'UnaryExpression':
        return { kind: 'unary', operator: ast.operator, of: this.build(ast.right) };
      case 'BinaryExpression':
        return { kind: 'binary', operator: ast.operator, left: this.build(ast.left), right: this.build(ast.right) };
      case 'ConditionalExpression': {
        const then = ast.consequent ? this.build(ast.consequent) : null;
        return { kind: 'choice', test: this.build(ast.test), then, otherwise: this.build(ast.alternate) };
      }
      case 'FunctionCall':
        return this.#call(ast);
      case 'ArrayLiteral':
        return { kind: 'list', items: ast.value.map((item) => this.build(item)) };
      case 'ObjectLiteral':
        return {
          kind: 'object',
          entries: Object.entries(ast.value).map(([key, value]) => [this.#key(key), this.build(value)]),
        };
      default:
        throw new ExpressionFault('uses something this language does not have');
    }
  }

  #literal(written: unknown): Json {
    const value = typeof written === 'string' ? this.#scanned.readLiteral(written) : written;
    if (typeof value === 'string') return value;
    if (typeof value === 'number' && !Number.isFinite(value))
      throw new ExpressionFault('has a number that is too large');
    if (typeof value === 'number') return value + 0; // JSON does not keep -0
    return typeof value === 'boolean' ? value : null;
  }

  #key(mark: string): string {
    const key = this.#scanned.read(mark);
    refuseReserved(key);
    return key;
  }

  #identifier(ast: Extract<ASTNode, { type: 'Identifier' }>): Node {
    if (ast.relative) return this.#relative(ast.value === '.' ? '.' : this.#scanned.read(ast.value));
    if (ast.from) {
      const name = this.#scanned.read(ast.value);
      if (isSecrets(ast.from)) return this.#secret(name);
      return { kind: 'property', of: this.build(ast.from), name };
    }
    if (ast.value === 'steps') this.#reads = 'all';
    return { kind: 'root', name: checkRoot(ast.value) };
  }

  #secret(name: string): Node {
    if (!SECRET_NAME.test(name)) throw new ExpressionFault(`names a secret "${name}", but ${SECRET_NAME_RULE}`);
    this.usesSecret = true;
    return { kind: 'secret', name };
  }

  #relative(name: string): Node {
    if (this.#filters === 0)
      throw new ExpressionFault(
        `uses .${name === '.' ? '' : name} outside a filter; it means a field of the element in list[.field == 1]`,
      );
    this.#usesElement = true;
    return name === '.' ? { kind: 'element' } : { kind: 'property', of: { kind: 'element' }, name };
  }

  /** `a[…]` is a filter when what stands inside looks at the element, else it picks by index or name. */
  #bracket(ast: Extract<ASTNode, { type: 'FilterExpression' }>): Node {
    const { subject, expr } = ast;
    if (
      subject?.type === 'Identifier' &&
      subject.value === 'steps' &&
      !subject.from &&
      !subject.relative &&
      expr?.type === 'Literal' &&
      typeof expr.value === 'string' &&
      typeof this.#scanned.readLiteral(expr.value) === 'string'
    ) {
      const id = this.#key(expr.value);
      if (this.#reads !== 'all') this.#reads.add(id);
      return { kind: 'property', of: { kind: 'root', name: 'steps' }, name: id };
    }
    const of = this.build(subject);
    const outer = this.#usesElement;
    this.#usesElement = false;
    this.#filters += 1;
    const inner = this.build(expr);
    this.#filters -= 1;
    const isFilter = this.#usesElement;
    this.#usesElement = outer;
    if (isFilter) return { kind: 'filter', of, where: inner };
    if (inner.kind === 'value' && typeof inner.value === 'string') refuseReserved(inner.value);
    return { kind: 'index', of, by: inner };
  }

  #call(ast: Extract<ASTNode, { type: 'FunctionCall' }>): Node {
    const known = FUNCTIONS.get(ast.name);
    if (!known)
      throw new ExpressionFault(
        `calls "${ast.name}", which is no function here; there are ${[...FUNCTIONS.keys()].join(', ')}`,
      );
    const args = (ast.args ?? []).map((arg) => this.build(arg));
    const [least, most] = known.arity;
    if (args.length < least || args.length > most) {
      throw new ExpressionFault(
        `calls ${ast.name} with ${args.length} value(s); it takes ${least === most ? least : `${least} to ${most}`}`,
      );
    }
    return { kind: 'call', call: known.call, args };
  }
}

function checkRoot(name: string): Root {
  const root = ROOTS.find((known) => known === name);
  if (root) return root;
  if (name === 'secrets') throw new ExpressionFault('names no secret; write ${secrets.NAME}');
  const hint = FUNCTIONS.has(name)
    ? `; ${name} is a function: ${name}(value)`
    : '; a name with a hyphen is read as data["a-b"]';
  throw new ExpressionFault(`uses "${name}", which is not known here; there are ${ROOTS.join(', ')}${hint}`);
}

function isSecrets(ast: ASTNode): boolean {
  return ast.type === 'Identifier' && ast.value === 'secrets' && !ast.from && !ast.relative;
}
