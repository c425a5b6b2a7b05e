// JSON in, JSON out. The key comes through the pipe, where no process list shows it.
export async function readRequest() {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  return JSON.parse(text);
}

export function reply(value) {
  process.stdout.write(JSON.stringify(value));
}
