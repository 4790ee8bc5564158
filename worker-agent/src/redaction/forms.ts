/** Shorter values are words rather than secrets: to replace them would cut what is none. */
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

/** As writers of JSON differ: ASCII only, slashes escaped, what HTML minds escaped; and all of that once more inside a JSON text. */
const jsonForms = (secret: string): string[] => {
  const plain = inJson(secret);
  const once = [plain, plain.replaceAll('/', '\\/'), escaped(plain, /[<>&]/g)].flatMap((form) => [
    form,
    escaped(form, /[^\u0020-\u007e]/g),
    escaped(form, /[^\u0020-\u007e]/g, true),
  ]);
  return [...once, ...once.map(inJson)];
};

/** The characters of base64 that a secret alone decides, when `before` bytes (mod 3) stand in front of it in the text that is encoded. */
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

/** How a secret looks where it is printed: `exact` as it stands, `wrapped` in lines of base64 that may be broken anywhere. */
export const formsOf = (secret: string): { exact: string[]; wrapped: string[] } => {
  const wrapped = base64Forms(secret);
  return { exact: [secret, ...urlForms(secret), ...jsonForms(secret), ...wrapped.flatMap(urlForms)], wrapped };
};
