// Runs in a root that has only the packaged runtime, in a network namespace of its own: a small DNS server, and what the C
// library answers about names, users and groups. Prints what it was told as JSON.
const { createSocket } = require('node:dgram');
const { lookup } = require('node:dns').promises;
const { readFileSync } = require('node:fs');
const tls = require('node:tls');

/** An answer to any question for an address: 10.9.8.7 (RFC 1035). */
function answer(question) {
  const end = question.indexOf(0, 12) + 5;
  const isAddress = question.readUInt16BE(end - 4) === 1;
  const header = Buffer.from(question.subarray(0, 12));
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(isAddress ? 1 : 0, 6);
  header.writeUInt32BE(0, 8);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 9, 8, 7]);
  return Buffer.concat([header, question.subarray(12, end), ...(isAddress ? [record] : [])]);
}

function handshake() {
  const [key, cert, ca] = ['key', 'cert', 'ca'].map((name) => readFileSync(`/tls/${name}.pem`));
  return new Promise((resolve, reject) => {
    const server = tls.createServer({ key, cert }, (socket) => socket.end('hello'));
    server.listen(0, '127.0.0.1', () => {
      const client = tls.connect({ port: server.address().port, host: '127.0.0.1', ca });
      client.once('error', reject).once('data', (data) => {
        server.close();
        resolve(`${client.getProtocol()} ${client.authorized} ${data}`);
      });
    });
  });
}

async function main() {
  const server = createSocket('udp4');
  server.on('message', (question, { port, address }) => server.send(answer(question), port, address));
  await new Promise((resolve) => server.bind(53, '127.0.0.1', resolve));
  const told = {
    hosts: (await lookup('kafka-1.example.net')).address,
    dns: (await lookup('kafka-2.example.net')).address,
    tls: await handshake(),
  };
  server.close();
  process.initgroups('ktc', 'ktc');
  process.setgid('ktc');
  process.setuid('ktc');
  Object.assign(told, { uid: process.getuid(), gid: process.getgid(), groups: process.getgroups().sort() });
  told.libraries = process.report.getReport().sharedObjects;
  console.log(JSON.stringify(told));
}

main();
