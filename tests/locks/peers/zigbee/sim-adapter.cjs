// Loaded before Zigbee2MQTT starts: puts a simulated radio with door locks in the place of the serial adapter.
// What is above the radio (converters, ZCL, the queue for sleeping devices, availability, MQTT) is Zigbee2MQTT's own.
"use strict"

const fs = require("node:fs")
const http = require("node:http")
const path = require("node:path")
const { createRequire } = require("node:module")

const inside = createRequire(require.resolve("zigbee2mqtt/package.json"))
const herdsman = path.dirname(inside.resolve("zigbee-herdsman/package.json"))
const { Adapter } = require(path.join(herdsman, "dist/adapter/adapter.js"))
const Zcl = require(path.join(herdsman, "dist/zspec/zcl"))

const DATA = process.env.ZIGBEE2MQTT_DATA
const SILENCE_MS = Number(process.env.SIM_SILENCE_MS ?? 400) // a real adapter waits ten seconds for an answer
const HEARTBEAT_MS = 400
const NOBODY = 0xffff
const STATUS = { done: 0, failure: 1, full: 2, duplicate: 3 } // of setPinCodeRsp
const SOURCE = { keypad: 0, radio: 1 }
const OPERATION = { unlock: 2, wrongPin: 5 }
const PROGRAMMING = { added: 2, deleted: 3, changed: 4 }
const ATTRIBUTE = {
  genBasic: { 0: { dataType: 0x20, value: () => 3 } },
  genPowerCfg: { 0x21: { dataType: 0x20, value: (lock) => lock.battery * 2 } },
  closuresDoorLock: { 0: { dataType: 0x30, value: (lock) => (lock.isLocked ? 1 : 2) } },
}

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
// Locks keep their codes while the bridge is restarted.
const MEMORY = path.join(DATA, "memory.json")
const remembered = () => (fs.existsSync(MEMORY) ? JSON.parse(fs.readFileSync(MEMORY)) : [])

// What a lock holds, and what goes wrong on its way to it. Knows nothing of frames.
class DoorLock {
  constructor({ address, places }) {
    Object.assign(this, { address, places, sequence: 0 })
    this.reset()
  }

  reset() {
    clearInterval(this.heartbeat)
    Object.assign(this, { codes: new Map(), isAwake: true, isLocked: true, battery: 90, unheard: 0, readings: Infinity, prank: undefined })
  }

  store(place, code) {
    if (place >= this.places) return STATUS.full
    for (const [other, held] of this.codes) if (other !== place && held.pin === code.pin) return STATUS.duplicate
    this.codes.set(place, code)
    return STATUS.done
  }

  whose(pin) {
    for (const [place, held] of this.codes) if (held.pin === pin && held.status === 1) return place
    return undefined
  }

  takePrank() {
    const prank = this.prank ?? {}
    this.prank = undefined
    return prank
  }
}

class SimulatedRadio extends Adapter {
  locks = new Map(JSON.parse(fs.readFileSync(path.join(DATA, "locks.json"))).map((each) => [each.address, new DoorLock(each)]))

  async start() {
    for (const [address, codes] of remembered()) this.locks.get(address).codes = new Map(codes)
    this.controls = http.createServer((request, response) => this.control(request, response))
    this.controls.listen(Number(process.env.SIM_CONTROL_PORT), "127.0.0.1")
    return "resumed"
  }
  async stop() {
    for (const lock of this.locks.values()) clearInterval(lock.heartbeat)
    fs.writeFileSync(MEMORY, JSON.stringify([...this.locks.values()].map((lock) => [lock.address, [...lock.codes]])))
    this.controls.closeAllConnections()
    this.controls.close()
  }
  async getCoordinatorIEEE() { return "0x00124b00c0ffee01" }
  async getCoordinatorVersion() { return { type: "simulated", meta: { revision: 1 } } }
  async getNetworkParameters() { return { panID: 0x1a62, extendedPanID: "0xdddddddddddddddd", channel: 11, nwkUpdateID: 0 } }
  async supportsBackup() { return false }
  async backup() { throw new Error("There is nothing to back up.") }
  async reset() {}
  async addInstallCode() {}
  async permitJoin() {}
  async sendZclFrameToGroup() {}
  async sendZclFrameToAll() {}
  async setChannelInterPAN() {}
  async restoreChannelInterPAN() {}
  async sendZclFrameInterPANToIeeeAddr() {}
  async sendZclFrameInterPANBroadcast() {}
  waitFor() { return { promise: new Promise(() => {}), cancel() {} } }
  async sendZdo(_ieee, address, _cluster, _payload, isSilent) {
    if (this.locks.has(address) && !this.locks.get(address).isAwake) throw new Error("ZDO request was not delivered")
    return isSilent ? undefined : [0, {}]
  }

  // Frames on the air.

  async sendZclFrameToEndpoint(_ieee, address, endpoint, frame, timeout) {
    const lock = this.locks.get(address)
    const answer = lock?.isAwake ? await this.execute(lock, frame) : undefined
    if (answer === undefined && this.expectsAnswer(frame)) {
      await later(SILENCE_MS)
      const { transactionSequenceNumber: sequence } = frame.header
      throw new Error(`Timeout - ${address} - ${endpoint} - ${sequence} - ${frame.cluster.ID} - ${frame.command.ID} after ${timeout}ms`)
    }
    return answer
  }

  expectsAnswer(frame) {
    return frame.command.response !== undefined
  }

  async execute(lock, frame) {
    const isGlobal = frame.header.frameControl.frameType === Zcl.FrameType.GLOBAL
    return isGlobal ? this.executeGlobal(lock, frame) : this.executeSpecific(lock, frame)
  }

  executeGlobal(lock, frame) {
    const answer = (name, body) => this.transmit(lock, frame, Zcl.FrameType.GLOBAL, name, body)
    switch (frame.command.name) {
      case "read":
        return answer("readRsp", frame.payload.map(({ attrId }) => this.attribute(lock, frame.cluster.name, attrId, { status: 0 })))
      case "write":
        return answer("writeRsp", [{ status: 0 }])
      case "configReport":
        return answer("configReportRsp", [{ status: 0 }])
      default:
        return undefined
    }
  }

  executeSpecific(lock, frame) {
    const { name } = frame.command
    const answer = (body) => this.transmit(lock, frame, Zcl.FrameType.SPECIFIC, `${name}Rsp`, body)
    switch (name) {
      case "setPinCode":
      case "clearPinCode":
        return this.write(lock, frame, answer)
      case "getPinCode": {
        if (lock.unheard > 0) { lock.unheard--; return undefined }
        if (lock.readings-- <= 0) return undefined
        const { userid } = frame.payload
        const held = lock.codes.get(userid)
        return answer({ userid, userstatus: held?.status ?? 0, usertype: held?.type ?? 0, pincodevalue: Buffer.from(held?.pin ?? "") })
      }
      case "lockDoor":
      case "unlockDoor": {
        lock.isLocked = name === "lockDoor"
        const said = answer({ status: 0 })
        this.report(lock, "closuresDoorLock", 0)
        if (!lock.isLocked) this.operation(lock, SOURCE.radio, OPERATION.unlock, NOBODY)
        return said
      }
      default:
        return undefined
    }
  }

  write(lock, frame, answer) {
    const prank = lock.takePrank()
    switch (prank.kind) {
      case "sleep": // it is gone before the write, and stays away
        this.rest(lock)
        return undefined
      case "lose_request":
        return undefined
      case "land_late": // held up on the way, as by a router for a sleeping child
        setTimeout(() => this.carryOut(lock, frame), prank.after_ms)
        return undefined
      case "lose_answer": // done, but neither this nor the next readings come back
        lock.unheard = prank.reads
        this.carryOut(lock, frame, { isHeard: false })
        return undefined
      case "refuse":
        return answer({ status: STATUS.failure })
      default:
        return answer({ status: this.carryOut(lock, frame) })
    }
  }

  carryOut(lock, frame, { isHeard = true } = {}) {
    const { userid, userstatus, usertype, pincodevalue } = frame.payload
    const had = lock.codes.has(userid)
    let status = STATUS.done
    let what = PROGRAMMING.deleted
    if (frame.command.name === "clearPinCode") lock.codes.delete(userid)
    else {
      status = lock.store(userid, { pin: pincodevalue.toString(), status: userstatus, type: usertype })
      what = had ? PROGRAMMING.changed : PROGRAMMING.added
    }
    if (status === STATUS.done && isHeard) this.programming(lock, SOURCE.radio, what, userid)
    return status
  }

  // What a lock says.

  attribute(lock, cluster, attrId, found = {}) {
    const known = ATTRIBUTE[cluster]?.[attrId]
    if (known === undefined) return { attrId, status: 0x86 }
    return { attrId, ...found, dataType: known.dataType, attrData: known.value(lock) }
  }

  report(lock, cluster, attrId) {
    this.transmit(lock, undefined, Zcl.FrameType.GLOBAL, "report", [this.attribute(lock, cluster, attrId)], cluster)
  }

  operation(lock, opereventsrc, opereventcode, userid) {
    const body = { opereventsrc, opereventcode, userid, pin: Buffer.alloc(0), zigbeelocaltime: 0, data: "" }
    this.transmit(lock, undefined, Zcl.FrameType.SPECIFIC, "operationEventNotification", body, "closuresDoorLock")
  }

  programming(lock, programeventsrc, programeventcode, userid) {
    const held = lock.codes.get(userid)
    const body = {
      programeventsrc, programeventcode, userid, pin: Buffer.alloc(0), usertype: held?.type ?? 0, userstatus: held?.status ?? 0,
      zigbeelocaltime: 0, data: "",
    }
    this.transmit(lock, undefined, Zcl.FrameType.SPECIFIC, "programmingEventNotification", body, "closuresDoorLock")
  }

  transmit(lock, asked, type, command, body, cluster) {
    lock.sequence = (lock.sequence + 1) & 0xff
    const sequence = asked?.header.transactionSequenceNumber ?? lock.sequence
    const to = Zcl.Direction.SERVER_TO_CLIENT
    const frame = Zcl.Frame.create(type, to, true, undefined, sequence, command, cluster ?? asked.cluster.ID, body, {})
    const data = frame.toBuffer()
    const received = {
      clusterID: frame.cluster.ID, header: Zcl.Header.fromBuffer(data), data, address: lock.address, endpoint: 1,
      linkquality: 100, groupID: 0, wasBroadcast: false, destinationEndpoint: 1,
    }
    this.emit("zclPayload", received)
    return received
  }

  // Hands at the lock and in the air.

  rest(lock) {
    lock.isAwake = false
    clearInterval(lock.heartbeat)
  }

  wake(lock) {
    lock.isAwake = true
    clearInterval(lock.heartbeat)
    const beat = () => this.report(lock, "genBasic", 0)
    lock.heartbeat = setInterval(beat, HEARTBEAT_MS)
    beat()
  }

  act(lock, action, values) {
    switch (action) {
      case "look": break
      case "reset": lock.reset(); break
      case "offline": this.rest(lock); break
      case "online": this.wake(lock); break
      case "prank": lock.prank = values; break
      case "tire": lock.readings = values.after; break // answers so many readings and no more
      case "places": lock.places = values.count; break
      case "battery":
        lock.battery = values.level
        this.report(lock, "genPowerCfg", 0x21)
        break
      case "chatter": // reports that nobody asked for, so that the bridge repeats what it remembers
        for (let n = 0; n < values.times; n++) setTimeout(() => this.report(lock, "closuresDoorLock", 0), n * values.every_ms)
        break
      case "type": {
        const place = lock.whose(values.code)
        if (place !== undefined) { lock.isLocked = false; this.report(lock, "closuresDoorLock", 0) }
        this.operation(lock, SOURCE.keypad, place === undefined ? OPERATION.wrongPin : OPERATION.unlock, place ?? NOBODY)
        break
      }
      case "program": {
        const what = lock.codes.has(values.place) ? PROGRAMMING.changed : PROGRAMMING.added
        lock.codes.set(values.place, { pin: values.code, status: 1, type: 0 })
        this.programming(lock, SOURCE.keypad, what, values.place)
        break
      }
      default: throw new Error(`no such action: ${action}`)
    }
  }

  // POST /<address>/<action> with a JSON body; the answer is the lock as it truly is.
  async control(request, response) {
    try {
      let text = ""
      for await (const part of request) text += part
      const [, address, action] = request.url.split("/")
      const lock = this.locks.get(Number(address))
      this.act(lock, action, text ? JSON.parse(text) : {})
      response.end(JSON.stringify({ awake: lock.isAwake, locked: lock.isLocked, codes: Object.fromEntries(lock.codes) }))
    } catch (error) {
      response.statusCode = 500
      response.end(String(error.stack))
    }
  }
}

Adapter.create = async (...options) => new SimulatedRadio(...options)
