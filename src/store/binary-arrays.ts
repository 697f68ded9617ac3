// Arrays as Postgres' wire protocol takes them in binary. The driver would write them as text literals, which have to be
// escaped here and parsed there; a batch of steps is mostly such arrays. The format is array_recv's: dimensions, a flag for
// nulls, the element type, the length, then each element with its size. https://www.postgresql.org/docs/current/protocol.html

/** A value of an array: text and JSON as text, uuid in its usual spelling. */
export type Cell = string | number | boolean | null;
export type ColumnType = 'int' | 'bigint' | 'float8' | 'bool' | 'text' | 'uuid' | 'json' | 'jsonb';

const OIDS: Record<ColumnType, number> = {
  bool: 16,
  bigint: 20,
  int: 23,
  text: 25,
  json: 114,
  float8: 701,
  uuid: 2950,
  jsonb: 3802,
};

const HEADER = 20;
const EMPTY_HEADER = 12;
const NULL_SIZE = -1;
const UTF8_WORST = 3;
const JSONB_VERSION = 1;
/** Values of the characters 0-9, A-F, a-f. */
const HEX = new Uint8Array(128);
for (let digit = 0; digit < 16; digit++) {
  HEX[digit.toString(16).charCodeAt(0)] = digit;
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/** About how many bytes a value takes; text that is not ASCII takes more. */
export function sizeOf(cell: Cell): number {
  return typeof cell === 'string' ? cell.length + 5 : 12;
}

/** Writes arrays one after the other into one buffer; each answer is a view of it, good as a query's parameter. */
export class ArrayWriter {
  #buffer: Buffer;
  #offset = 0;

  /** `bytes`: what is expected in all; more is found room for. */
  constructor(bytes: number) {
    this.#buffer = Buffer.allocUnsafe(bytes + 1_024);
  }

  /** An array without any value but null is written as an empty one: `unnest` fills shorter arrays up with nulls. */
  write(type: ColumnType, cells: Cell[]): Buffer {
    const isEmpty = cells.every((cell) => cell === null);
    this.#reserve(HEADER);
    const from = this.#offset;
    this.#int32(isEmpty ? 0 : 1);
    this.#int32(isEmpty || !cells.includes(null) ? 0 : 1);
    this.#int32(OIDS[type]);
    if (isEmpty) return this.#buffer.subarray(from, from + EMPTY_HEADER);
    this.#int32(cells.length);
    this.#int32(1);
    let start = from;
    for (const cell of cells) {
      const moved = this.#reserve(typeof cell === 'string' ? cell.length * UTF8_WORST + 5 : 12, start);
      if (moved) start = 0;
      if (cell === null) this.#int32(NULL_SIZE);
      else this.#element(type, cell);
    }
    return this.#buffer.subarray(start, this.#offset);
  }

  #element(type: ColumnType, cell: string | number | boolean): void {
    switch (type) {
      case 'int':
        this.#int32(4);
        this.#int32(cell as number);
        return;
      case 'bigint':
        this.#int32(8);
        this.#int32(Math.floor((cell as number) / 2 ** 32));
        this.#int32((cell as number) | 0);
        return;
      case 'float8':
        this.#int32(8);
        this.#offset = this.#buffer.writeDoubleBE(cell as number, this.#offset);
        return;
      case 'bool':
        this.#int32(1);
        this.#buffer[this.#offset++] = cell ? 1 : 0;
        return;
      case 'uuid':
        this.#uuid(cell as string);
        return;
      case 'text':
      case 'json':
        this.#text(cell as string, 0);
        return;
      case 'jsonb':
        this.#text(cell as string, 1);
    }
  }

  #int32(value: number): void {
    const buffer = this.#buffer;
    buffer[this.#offset++] = value >>> 24;
    buffer[this.#offset++] = value >>> 16;
    buffer[this.#offset++] = value >>> 8;
    buffer[this.#offset++] = value;
  }

  /** Its size is known once it is written. */
  #text(text: string, prefix: 0 | 1): void {
    const at = this.#offset;
    this.#offset += 4;
    if (prefix === 1) this.#buffer[this.#offset++] = JSONB_VERSION;
    this.#offset += this.#buffer.write(text, this.#offset);
    const end = this.#offset;
    this.#offset = at;
    this.#int32(end - at - 4);
    this.#offset = end;
  }

  #uuid(text: string): void {
    this.#int32(16);
    const end = this.#offset + 16;
    for (let index = 0; this.#offset < end; index += 2) {
      if (text.charCodeAt(index) === 45) index += 1;
      this.#buffer[this.#offset++] = (HEX[text.charCodeAt(index)]! << 4) | HEX[text.charCodeAt(index + 1)]!;
    }
  }

  /** Makes room; when that needs a new buffer, the array that began at `from` moves to its start. */
  #reserve(bytes: number, from = this.#offset): boolean {
    if (this.#offset + bytes <= this.#buffer.length) return false;
    const begun = this.#buffer.subarray(from, this.#offset);
    this.#buffer = Buffer.allocUnsafe((begun.length + bytes) * 2 + 1_024);
    begun.copy(this.#buffer);
    this.#offset = begun.length;
    return true;
  }
}
