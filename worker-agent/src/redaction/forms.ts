/** Shorter values are not treated as secrets: they may be ordinary words. */
export const LEAST_CHARACTERS = 8;

const lowerHex = (text: string) => text.replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase());
const strictly = (text: string) => encodeURIComponent(text).replace(/[!'()*]/g, (it) => `%${it.charCodeAt(0).toString(16).toUpperCase()}`);
const asForm = (text: string) => new URLSearchParams({ x: text }).toString().slice(2);

const urlForms = (secret: string): string[] => {
  const strict = strictly(secret);
  const forms = [encodeURIComponent(secret), encodeURI(secret), strict, strict.replaceAll('%2F', '/'), asForm(secret)];
  forms.push(strict.replaceAll('%20', '+'), encodeURIComponent(encodeURIComponent(secret)));
  return forms.flatMap((form) => [form, lowerHex(form)]);
};

const escaped = (text: string, which: RegExp, upper = false) =>
  text.replace(which, (it) => {
    const hex = it.charCodeAt(0).toString(16).padStart(4, '0');
    return `\\u${upper ? hex.toUpperCase() : hex}`;
  });
const inJson = (text: string) => JSON.stringify(text).slice(1, -1);

/** The forms that JSON encoders produce: ASCII only, with escaped slashes or HTML characters, and each of them inside a JSON string again. */
const jsonForms = (secret: string): string[] => {
  const plain = inJson(secret);
  const once = [plain, plain.replaceAll('/', '\\/'), escaped(plain, /[<>&]/g)].flatMap((form) => [
    form,
    escaped(form, /[^\u0020-\u007e]/g),
    escaped(form, /[^\u0020-\u007e]/g, true),
  ]);
  return [...once, ...once.map(inJson)];
};

/** The base64 characters that depend only on the secret, when `before` bytes (mod 3) precede it in the encoded text. */
const base64Core = (secret: Buffer, before: number): string => {
  const text = Buffer.concat([Buffer.alloc(before), secret])
    .toString('base64')
    .replace(/=+$/, '');
  return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + secret.length) * 8) / 6));
};

const base64Forms = (secret: string): string[] =>
  [0, 1, 2]
    .map((before) => base64Core(Buffer.from(secret), before))
    .flatMap((core) => [core, core.replaceAll('+', '-').replaceAll('/', '_')]);

/** The forms in which a secret may be printed: `exact` without line breaks, `wrapped` as base64 with line breaks anywhere. */
export const formsOf = (secret: string): { exact: string[]; wrapped: string[] } => {
  const wrapped = base64Forms(secret);
  return { exact: [secret, ...urlForms(secret), ...jsonForms(secret), ...wrapped.flatMap(urlForms)], wrapped };
};
