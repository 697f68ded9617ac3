// Why an expression cannot be parsed or computed, as a predicate ("is empty"). It knows nothing about the source it was
// found in; core/expression.ts makes it the sentence that others see, an `ExpressionError`.

export class ExpressionFault extends Error {
  constructor(predicate: string) {
    super(predicate);
    this.name = 'ExpressionFault';
  }
}
