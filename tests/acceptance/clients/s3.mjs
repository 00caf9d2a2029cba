// The AWS SDK for JavaScript v3 against S3, as a user's program holds it. Prints one JSON line per scenario; the Python
// test judges them. Endpoint, keys and region come from the environment; `pathStyle` says how buckets are addressed.
import { createRequire } from "node:module";
import { Readable } from "node:stream";

const require = createRequire(`${process.env.CLIENTS_ROOT}/package.json`);
const sdk = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const { bucket, pathStyle, endpoint } = JSON.parse(process.env.SCENARIO);
const s3 = new sdk.S3Client({ forcePathStyle: pathStyle, endpoint, maxAttempts: 1 });
const Bucket = bucket;
const send = (name, input) => s3.send(new sdk[`${name}Command`]({ Bucket, ...input }));

const scenarios = {
  async bucket() {
    await send("CreateBucket");
    const found = await send("HeadBucket");
    return found.$metadata.httpStatusCode;
  },
  async object() {
    const put = await send("PutObject", { Key: "a b/ü+&.txt", Body: "hello", Metadata: { colour: "red" } });
    const got = await send("GetObject", { Key: "a b/ü+&.txt" });
    return { etag: put.ETag, crc: put.ChecksumCRC32, text: await got.Body.transformToString(), metadata: got.Metadata };
  },
  async range() {
    const got = await send("GetObject", { Key: "a b/ü+&.txt", Range: "bytes=1-3" });
    return { text: await got.Body.transformToString(), range: got.ContentRange };
  },
  async stream() {
    const pieces = Readable.from(Array.from({ length: 6 }, (_, at) => Buffer.alloc(1024 * 1024, at)));
    await new Upload({ client: s3, params: { Bucket, Key: "parts", Body: pieces }, partSize: 5 * 1024 * 1024 }).done();
    const head = await send("HeadObject", { Key: "parts" });
    const body = await (await send("GetObject", { Key: "parts" })).Body.transformToByteArray();
    return { length: head.ContentLength, parts: head.ETag.endsWith('-2"'), last: body[body.length - 1] };
  },
  async list() {
    const keys = [];
    for await (const page of sdk.paginateListObjectsV2({ client: s3, pageSize: 1 }, { Bucket }))
      for (const one of page.Contents ?? []) keys.push(one.Key);
    return keys;
  },
  async presigned() {
    const url = await getSignedUrl(s3, new sdk.GetObjectCommand({ Bucket, Key: "a b/ü+&.txt" }), { expiresIn: 60 });
    return (await fetch(url)).text();
  },
  async missing() {
    try {
      await send("GetObject", { Key: "nothing" });
    } catch (error) {
      return { name: error.name, status: error.$metadata.httpStatusCode, message: error.message };
    }
  },
  async empty() {
    const Objects = (await send("ListObjectsV2")).Contents.map(({ Key }) => ({ Key }));
    const gone = await send("DeleteObjects", { Delete: { Objects } });
    await send("DeleteBucket");
    return gone.Deleted.length;
  },
};

for (const name of process.argv.slice(2)) {
  try {
    console.log(JSON.stringify({ name, result: await scenarios[name]() }));
  } catch (error) {
    console.log(JSON.stringify({ name, error: `${error.name}: ${error.message}` }));
  }
}
