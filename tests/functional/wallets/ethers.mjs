// Sign EIP-712 messages with ethers. stdin: {key, requests: [typed data]}, integers as decimal strings.
// stdout: {address, replies: [{digest, signature}]}.
import { TypedDataEncoder, Wallet } from "ethers";
import { readRequest, reply } from "./pipe.mjs";

const { key, requests } = await readRequest();
const wallet = new Wallet(key);

const replies = [];
for (const { domain, types, message } of requests) {
  // ethers derives the domain's fields itself and refuses to be told them.
  const { EIP712Domain, ...structs } = types;
  replies.push({
    digest: TypedDataEncoder.hash(domain, structs, message),
    signature: await wallet.signTypedData(domain, structs, message),
  });
}
reply({ address: wallet.address, replies });
