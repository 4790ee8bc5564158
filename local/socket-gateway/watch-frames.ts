/** The payload length of a frame; null while its header is incomplete. */
const lengthOf = (header: Buffer): number | null => {
  if (header.length < 2) return null;
  const short = header.readUInt8(1) & 0x7f;
  const mask = header.readUInt8(1) & 0x80 ? 4 : 0;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  if (header.length < 2 + extended + mask) return null;
  if (extended === 0) return short;
  return extended === 2 ? header.readUInt16BE(2) : Number(header.readBigUInt64BE(2));
};

/**
 * Watches what a client sends, and calls `onLong` at the first frame longer than `most` bytes: ws has a limit for whole messages only.
 */
export const watchFrames = (most: number, onLong: () => void): ((chunk: Buffer) => void) => {
  let header = Buffer.alloc(0);
  let payloadLeft = 0;
  return (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      if (payloadLeft > 0) {
        const skipped = Math.min(payloadLeft, chunk.length - at);
        payloadLeft -= skipped;
        at += skipped;
        continue;
      }
      header = Buffer.concat([header, chunk.subarray(at, ++at)]);
      const length = lengthOf(header);
      if (length === null) continue;
      if (length > most) onLong();
      payloadLeft = length;
      header = Buffer.alloc(0);
    }
  };
};
