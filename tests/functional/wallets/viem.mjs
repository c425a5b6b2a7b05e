// Sign EIP-712 messages with viem. stdin: {key, requests: [typed data]}, integers as decimal strings.
// stdout: {address, replies: [{digest, signature}]}.
import { hashTypedData } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { readRequest, reply } from "./pipe.mjs";

// viem wants BigInt where JSON has decimal strings.
function withBigInts(type, value, types) {
  if (type.endsWith("[]")) {
    return value.map((item) => withBigInts(type.slice(0, -2), item, types));
  }
  if (types[type]) {
    return Object.fromEntries(
      types[type].map((field) => [field.name, withBigInts(field.type, value[field.name], types)]),
    );
  }
  return /^u?int/.test(type) ? BigInt(value) : value;
}

const { key, requests } = await readRequest();
const account = privateKeyToAccount(key);

const replies = [];
for (const { domain, types, primaryType, message } of requests) {
  const request = {
    domain: { ...domain, chainId: Number(domain.chainId) },
    types,
    primaryType,
    message: withBigInts(primaryType, message, types),
  };
  replies.push({
    digest: hashTypedData(request),
    signature: await account.signTypedData(request),
  });
}
reply({ address: account.address, replies });
