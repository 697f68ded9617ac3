// Lists of texts in the oldest form of MessagePack, which is what Redis' cmsgpack reads: lists and raw strings, where bytes and
// text are one. https://github.com/msgpack/msgpack/blob/master/spec-old.md

const LIST_16 = 0xdc;
const RAW_FIX = 0xa0;
const RAW_16 = 0xda;
const RAW_32 = 0xdb;
const FIX_MAX = 32;
const UTF8_WORST = 3;
/** Shorter texts are quicker written here than by a call of the runtime's. */
const SHORT = 24;

export class TextPacker {
  #buffer = Buffer.allocUnsafe(16 * 1024);
  #offset = 0;

  /** The next `length` values are a list; at most 65,535. */
  list(length: number): void {
    this.#reserve(3);
    this.#buffer[this.#offset++] = LIST_16;
    this.#uint16(length);
  }

  text(value: string | Buffer): void {
    const most = typeof value === 'string' ? value.length * UTF8_WORST : value.length;
    this.#reserve(most + 5);
    if (typeof value === 'string' && value.length < SHORT && this.#short(value)) return;
    const head = most < FIX_MAX ? 1 : most < 65_536 ? 3 : 5;
    const from = this.#offset + head;
    const length = typeof value === 'string' ? this.#buffer.write(value, from) : value.copy(this.#buffer, from);
    if (head === 1) {
      this.#buffer[this.#offset++] = RAW_FIX | length;
    } else if (head === 3) {
      this.#buffer[this.#offset++] = RAW_16;
      this.#uint16(length);
    } else {
      this.#buffer[this.#offset++] = RAW_32;
      this.#offset = this.#buffer.writeUInt32BE(length, this.#offset);
    }
    this.#offset += length;
  }

  end(): Buffer {
    return this.#buffer.subarray(0, this.#offset);
  }

  /** False, and nothing is written, for what is not plain ASCII. */
  #short(value: string): boolean {
    const buffer = this.#buffer;
    const from = this.#offset + 1;
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 127) return false;
      buffer[from + index] = code;
    }
    buffer[this.#offset] = RAW_FIX | value.length;
    this.#offset = from + value.length;
    return true;
  }

  #uint16(value: number): void {
    this.#buffer[this.#offset++] = value >>> 8;
    this.#buffer[this.#offset++] = value;
  }

  #reserve(bytes: number): void {
    if (this.#offset + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe((this.#buffer.length + bytes) * 2);
    this.#buffer.copy(larger, 0, 0, this.#offset);
    this.#buffer = larger;
  }
}
