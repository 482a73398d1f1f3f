// A message centre (SMPP 3.4) on loopback, made with the npm library `smpp`: node centre.js OPTIONS EVENTS
//
// OPTIONS is one JSON object; tests/support/message_centre.py says what its keys mean. What happens is written to the
// file EVENTS, one JSON object a line, before the other side can know of it. The port is the first line of stdout.
// Each line on stdin is a JSON object of options that change from then on; the centre ends when stdin does.

'use strict';

const fs = require('fs');
const readline = require('readline');
const smpp = require('smpp');

const options = JSON.parse(process.argv[2]);
const events = fs.openSync(process.argv[3], 'a');

const INTERFACE_3_4 = 0x34;
const FIRST_ID = 0x1a2b3c00;
const RECEIPT = 0x04, INTERMEDIATE = 0x20; // esm_class, 5.2.12
const ON_FAILURE_ONLY = 2, ALSO_INTERMEDIATE = 0x10; // registered_delivery, 5.2.17
// 5.2.28, and its abbreviations of Appendix B.
const STATES = { ENROUTE: 1, DELIVRD: 2, EXPIRED: 3, DELETED: 4, UNDELIV: 5, ACCEPTD: 6, UNKNOWN: 7, REJECTD: 8 };
const HOW_OFTEN_IT_LOOKS_FOR_A_RECEIVER_MS = 10;

let taken = 0;
const answered = new Map(); // how often a number got the answer of its ending
const bound = new Set();

function note(event, values) {
  fs.writeSync(events, JSON.stringify({ event, ...values }) + '\n');
}

function later(milliseconds, act) {
  if (milliseconds > 0) setTimeout(act, milliseconds);
  else act();
}

function ofEnding(table, number) {
  const ending = Object.keys(table || {}).find((each) => number.endsWith(each));
  return ending === undefined ? undefined : table[ending];
}

function bindStatus(pdu) {
  if (pdu.system_id !== options.system_id) return smpp.ESME_RINVSYSID;
  if (pdu.password !== options.password) return smpp.ESME_RINVPASWD;
  if (options.most_binds !== null && bound.size >= options.most_binds) return smpp.ESME_RBINDFAIL;
  return smpp.ESME_ROK;
}

function bind(session, pdu) {
  if (session.boundAs) return session.send(pdu.response({ command_status: smpp.ESME_RALYBND }));
  const status = bindStatus(pdu);
  note('bind', { command: pdu.command, system_id: pdu.system_id, status });
  if (status !== smpp.ESME_ROK) return session.send(pdu.response({ command_status: status }));
  session.boundAs = pdu.command;
  bound.add(session);
  session.send(pdu.response({ system_id: 'centre', sc_interface_version: INTERFACE_3_4 }));
  if (options.enquires_ms > 0) {
    session.enquiring = setInterval(() => session.enquire_link(() => note('link_answered', {})), options.enquires_ms);
  }
}

function wholeUdh(elements) {
  const joined = Buffer.concat(elements || []);
  return joined.length ? Buffer.concat([Buffer.from([joined.length]), joined]).toString('hex') : '';
}

function described(pdu) {
  const short = pdu.short_message || { message: '' };
  const body = short.message.length || short.udh ? short : pdu.message_payload || short;
  const isText = typeof body.message === 'string';
  return {
    source: pdu.source_addr,
    source_ton: pdu.source_addr_ton,
    source_npi: pdu.source_addr_npi,
    destination: pdu.destination_addr,
    destination_ton: pdu.dest_addr_ton,
    destination_npi: pdu.dest_addr_npi,
    registered_delivery: pdu.registered_delivery,
    esm_class: pdu.esm_class,
    data_coding: pdu.data_coding,
    validity_period: pdu.validity_period ? String(pdu.validity_period) : '',
    text: isText ? body.message : null,
    octets: isText ? '' : body.message.toString('hex'),
    udh: wholeUdh(body.udh),
    sar: 'sar_msg_ref_num' in pdu ? [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum] : null,
  };
}

function isTooFast(session) {
  if (options.most_a_second === null) return false;
  const now = Date.now();
  session.recent = session.recent.filter((at) => now - at < 1000);
  if (session.recent.length >= options.most_a_second) return true;
  session.recent.push(now);
  return false;
}

function answerFor(number) {
  const answer = ofEnding(options.answers, number);
  if (answer === undefined) return null;
  const times = (answered.get(number) || 0) + 1;
  if (answer.times !== null && times > answer.times) return null;
  answered.set(number, times);
  return answer;
}

function refuse(session, pdu, status) {
  note('refused', { destination: pdu.destination_addr, status });
  later(options.delay_ms, () => session.send(pdu.response({ command_status: status })));
}

function submit(session, pdu) {
  if (!session.boundAs || session.boundAs === 'bind_receiver' || session.unbinding) {
    return refuse(session, pdu, smpp.ESME_RINVBNDSTS);
  }
  if (isTooFast(session)) return refuse(session, pdu, smpp.ESME_RTHROTTLED);
  const answer = answerFor(pdu.destination_addr);
  const act = answer ? answer.act : 'take';
  if (act === 'refuse') return refuse(session, pdu, answer.status);
  if (act === 'close_before') return session.destroy();
  const messageId = (FIRST_ID + taken).toString(16);
  taken += 1;
  note('taken', { ...described(pdu), message_id: messageId });
  receipt(session, pdu, messageId);
  if (act === 'close_after') return session.destroy();
  if (act === 'silent') return;
  later(options.delay_ms, () => session.send(pdu.response({ message_id: messageId })));
  session.taken += 1;
  if (session.taken === options.unbind_after) later(options.delay_ms, () => unbind(session));
}

function unbind(session) {
  session.unbinding = true;
  session.unbind(() => session.close());
}

function receipt(session, pdu, messageId) {
  const receipts = options.receipts;
  if (receipts === null || !(pdu.registered_delivery & 3)) return;
  const own = ofEnding(receipts.by_ending, pdu.destination_addr);
  const state = own === undefined ? receipts.state : own;
  if (state === null) return;
  if (pdu.registered_delivery & ALSO_INTERMEDIATE) tell(session, pdu, messageId, 'ENROUTE', INTERMEDIATE);
  if ((pdu.registered_delivery & 3) === ON_FAILURE_ONLY && state === 'DELIVRD') return;
  tell(session, pdu, messageId, state, RECEIPT);
}

function tell(session, pdu, messageId, state, esmClass) {
  const receipts = options.receipts;
  const id = receipts.id_in === 'decimal' ? String(parseInt(messageId, 16)).padStart(10, '0') : messageId;
  const values = {
    source_addr_ton: pdu.dest_addr_ton, source_addr_npi: pdu.dest_addr_npi, source_addr: pdu.destination_addr,
    dest_addr_ton: pdu.source_addr_ton, dest_addr_npi: pdu.source_addr_npi, destination_addr: pdu.source_addr,
    esm_class: esmClass, data_coding: 0,
  };
  if (receipts.shape !== 'tlv') values.short_message = receiptText(id, state);
  if (receipts.shape !== 'text') Object.assign(values, { receipted_message_id: id, message_state: STATES[state] });
  // A receipt never overtakes what the test asked for by `before_answer` = false, however short the delays are.
  const wait = receipts.delay_ms + (receipts.before_answer ? 0 : options.delay_ms + 1);
  later(wait, () => deliver(session, values, { message_id: messageId, state }));
}

function receiptText(id, state) {
  const now = new Date().toISOString().replace(/\D/g, '').slice(2, 12);
  const good = state === 'DELIVRD';
  const keys = ['id', 'sub', 'dlvrd', 'submit date', 'done date', 'stat', 'err', 'text'];
  const values = [id, '001', good ? '001' : '000', now, now, state, good ? '000' : '045', ''];
  const inCase = (key) => (options.receipts.upper_case ? key.toUpperCase() : key);
  return keys.map((key, at) => `${inCase(key)}:${values[at]}`).join(' ');
}

// As a centre stores and forwards: it waits for a session of the same account that can receive.
function deliver(session, values, about) {
  const receives = (each) => each.boundAs && each.boundAs !== 'bind_transmitter' && !each.unbinding;
  const to = receives(session) && bound.has(session) ? session : [...bound].find(receives);
  if (to === undefined) {
    setTimeout(() => deliver(session, values, about), HOW_OFTEN_IT_LOOKS_FOR_A_RECEIVER_MS);
    return;
  }
  to.deliver_sm(values, (response) => note('receipted', { ...about, status: response.command_status }));
}

function serve(session) {
  session.taken = 0;
  session.recent = [];
  note('connected', {});
  session.on('error', (error) => {
    note('error', { what: String(error) });
    session.destroy();
  });
  session.on('close', () => {
    clearInterval(session.enquiring);
    bound.delete(session);
    note('closed', {});
  });
  for (const command of ['bind_transmitter', 'bind_receiver', 'bind_transceiver']) {
    session.on(command, (pdu) => bind(session, pdu));
  }
  session.on('submit_sm', (pdu) => submit(session, pdu));
  session.on('enquire_link', (pdu) => {
    note('enquire_link', {});
    if (!options.silent_links) session.send(pdu.response());
  });
  session.on('unbind', (pdu) => {
    note('unbind', {});
    session.unbinding = true;
    session.send(pdu.response(), () => session.close());
  });
  session.on('unknown', (pdu) => session.send(pdu.response()));
}

function obey(line) {
  const asked = JSON.parse(line);
  if (asked.drop) for (const session of [...server.sessions]) session.destroy();
  Object.assign(options, asked.change || {});
  note('obeyed', { number: asked.number });
}

const tls = options.pem ? { key: fs.readFileSync(options.pem), cert: fs.readFileSync(options.pem) } : {};
const server = smpp.createServer(tls, serve);
server.on('tlsClientError', (error) => note('error', { what: String(error) }));
server.listen(options.port, '127.0.0.1', () => console.log(server.address().port));
readline.createInterface({ input: process.stdin }).on('line', obey).on('close', () => process.exit(0));
