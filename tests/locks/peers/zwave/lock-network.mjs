// The real Z-Wave JS driver and the real Z-Wave JS server over a simulated radio with a few door locks on it.
//
// Prints one line of JSON when all is ready: the address of the server itself (`server`), the same behind a proxy that
// wants a token (`gate`), and the address that makes trouble (`control`). Ends when its standard input ends.
import fs from "node:fs"
import http from "node:http"
import net from "node:net"
import os from "node:os"
import path from "node:path"
import { DoorLockMode, DoorLockOperationType, KeypadMode, UserIDStatus } from "@zwave-js/cc"
import { CommandClasses } from "@zwave-js/core"
import { ZwavejsServer } from "@zwave-js/server"
import { MockController, MockNode } from "@zwave-js/testing"
import {
  createAndStartDriverWithMockPort,
  createDefaultMockControllerBehaviors,
  createDefaultMockNodeBehaviors,
} from "zwave-js/Testing"
import { DoorLock, EVENT } from "./door-lock.mjs"

const HOST = "127.0.0.1"
const TOKEN = process.env.GATE_TOKEN ?? ""
const SLOTS = Number(process.env.SLOTS ?? 10)
const NODES = {
  2: { name: "plain" },
  3: { name: "supervised", supervised: true, announces: true },
  4: { name: "masked", masks: true },
  5: { name: "credentials", supervised: true, credentials: true },
}
const WALL_SWITCH = 6
const ACK_WITHIN_MS = 300

const silent = Object.fromEntries(["error", "warn", "info", "debug"].map((level) => [level, () => {}]))
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "zwave-peer-"))
const freePort = () =>
  new Promise((resolve) => {
    const probe = net.createServer().listen(0, HOST, () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
const until = async (isSo) => {
  for (let waited = 0; !(await isSo()); waited += 20) {
    if (waited > 20_000) throw new Error("It did not come true in time.")
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

// The network -------------------------------------------------------------------------------------------------------

const { driver, continueStartup, mockPort, serial } = await createAndStartDriverWithMockPort({
  logConfig: { enabled: false },
  storage: { cacheDir: folder, lockDir: path.join(folder, "locks") },
  testingHooks: { skipFirmwareIdentification: true },
  features: { softReset: false },
  attempts: { nodeInterview: 1, sendData: 1 }, // one try per frame, and less patience below: tests wait for silence often
  timeouts: { report: 500 },
})
const controller = await MockController.create({ homeId: 0x7e570001, ownNodeId: 1, mockPort, serial })
controller.defineBehavior(...createDefaultMockControllerBehaviors())
const expectNodeACK = controller.expectNodeACK.bind(controller)
controller.expectNodeACK = (node) => expectNodeACK(node, ACK_WITHIN_MS)

function classes({ supervised, credentials }) {
  return [
    { ccId: CommandClasses.Version, version: 3 },
    { ccId: CommandClasses["Manufacturer Specific"], version: 2 },
    { ccId: CommandClasses.Battery, version: 1 },
    ...(supervised ? [{ ccId: CommandClasses.Supervision, version: 1 }] : []),
    {
      ccId: CommandClasses["Door Lock"],
      version: 4,
      supportedOperationTypes: [DoorLockOperationType.Constant],
      supportedDoorLockModes: [DoorLockMode.Unsecured, DoorLockMode.Secured],
    },
    credentials
      ? { ccId: CommandClasses["User Credential"], version: 1, numberOfSupportedUsers: SLOTS }
      : {
          ccId: CommandClasses["User Code"],
          version: 2,
          numUsers: SLOTS,
          supportedASCIIChars: "0123456789",
          supportedUserIDStatuses: [UserIDStatus.Available, UserIDStatus.Enabled, UserIDStatus.Disabled],
          supportedKeypadModes: [KeypadMode.Normal],
          supportsUserCodeChecksum: false,
        },
    {
      ccId: CommandClasses.Notification,
      version: 8,
      supportsV1Alarm: false,
      notificationTypesAndEvents: { 6: Object.values(EVENT) },
    },
  ]
}

const locks = new Map()
for (const [id, kind] of Object.entries(NODES)) {
  const node = await MockNode.create({
    id: Number(id),
    controller,
    capabilities: {
      genericDeviceClass: 0x40, // entry control
      specificDeviceClass: 0x03, // secure keypad door lock
      isListening: false,
      isFrequentListening: "1000ms", // runs on a battery and is woken for each frame
      manufacturerId: 0x7e57,
      productType: 1,
      productId: Number(id),
      commandClasses: classes(kind),
    },
  })
  controller.addNode(node)
  node.defineBehavior(...createDefaultMockNodeBehaviors())
  locks.set(Number(id), new DoorLock(node, controller, { slots: SLOTS, ...kind }))
}
const wallSwitch = await MockNode.create({
  id: WALL_SWITCH,
  controller,
  capabilities: { isListening: true, commandClasses: [{ ccId: CommandClasses.Version, version: 3 }, CommandClasses["Binary Switch"]] },
})
controller.addNode(wallSwitch)
wallSwitch.defineBehavior(...createDefaultMockNodeBehaviors())

// The server, and a proxy before it that wants a token --------------------------------------------------------------

let server
const serverPort = await freePort()
async function startServer() {
  server = new ZwavejsServer(driver, { port: serverPort, host: HOST, enableDNSServiceDiscovery: false, logger: silent })
  await server.start(true)
}

const lines = new Set()
const gate = http.createServer((_request, response) => response.writeHead(426).end())
gate.on("upgrade", (request, socket, head) => {
  if (request.headers.authorization !== `Bearer ${TOKEN}`) {
    socket.end("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    return
  }
  const inner = net.connect(serverPort, HOST, () => {
    const headers = request.rawHeaders.flatMap((word, at) => (at % 2 ? [] : [`${word}: ${request.rawHeaders[at + 1]}`]))
    inner.write(`GET / HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`)
    inner.write(head)
    socket.pipe(inner).pipe(socket)
  })
  for (const end of [socket, inner]) {
    lines.add(end)
    end.on("error", () => {})
    end.on("close", () => {
      lines.delete(end)
      socket.destroy()
      inner.destroy()
    })
  }
})

// The control -------------------------------------------------------------------------------------------------------

const nodeOf = (lock) => driver.controller.nodes.get(lock.node.id)
const DEAD = 3
async function batteryIs(lock, level) {
  lock.battery = level
  await lock.tellBattery()
  const known = { commandClass: CommandClasses.Battery, endpoint: 0, property: "level" }
  await until(() => nodeOf(lock).getValue(known) === level)
}

const acts = {
  state: () => ({}),
  async reset(lock) {
    lock.reset()
    await until(() => nodeOf(lock).ping()) // what is still on its way may fail and take the lock for dead once more
    await batteryIs(lock, lock.battery)
    lock.frames = { writes: 0, others: 0 }
  },
  // Out of reach, and the controller has found out.
  async offline(lock) {
    lock.inReach = false
    await nodeOf(lock).ping()
    await until(() => nodeOf(lock).status === DEAD)
  },
  vanish: (lock) => void (lock.inReach = false),
  appear: (lock) => void (lock.inReach = true),
  // Back, and it reports in by itself.
  async online(lock) {
    lock.inReach = true
    await lock.tellBattery()
    await until(() => nodeOf(lock).status !== DEAD)
  },
  trouble: (lock, trouble) => void (lock.trouble = trouble),
  mute: (lock, { on }) => void (lock.mute = on),
  type: async (lock, { code }) => ({ opened: await lock.type(code) }),
  keypad: (lock, { slot, code }) => lock.setAtKeypad(slot, code),
  forget: (lock, { slot }) => lock.forget(slot),
  disable: (lock, { slot }) => lock.disable(slot),
  jam: (lock) => lock.tell(EVENT.jammed),
  battery: (lock, { level }) => batteryIs(lock, level),
}
const onAll = {
  cut: () => lines.forEach((line) => line.destroy()),
  stop: () => server.destroy(),
  start: () => startServer(),
}

async function act(url, body) {
  const [, place, verb] = url.split("/")
  if (place === "all") return { done: await onAll[verb]() }
  const lock = locks.get(Number(place))
  const said = await acts[verb](lock, body)
  return { ...said, codes: lock.codes(), frames: lock.frames }
}

const control = http.createServer((request, response) => {
  let raw = ""
  request.on("data", (chunk) => (raw += chunk))
  request.on("end", async () => {
    try {
      response.end(JSON.stringify(await act(request.url, raw ? JSON.parse(raw) : {})))
    } catch (error) {
      response.writeHead(500).end(String(error.stack))
    }
  })
})

// The whole ---------------------------------------------------------------------------------------------------------

const listen = (service) => new Promise((resolve) => service.listen(0, HOST, () => resolve(service.address().port)))
let ending = false
async function end() {
  if (ending) return
  ending = true
  setTimeout(() => process.exit(0), 3000).unref()
  await server?.destroy().catch(() => {})
  await driver.destroy()
  fs.rmSync(folder, { recursive: true, force: true })
  process.exit(0)
}
process.stdin.on("end", end).resume()
process.on("SIGTERM", end)

driver.on("error", (error) => console.error("driver:", error.message))
driver.once("driver ready", startServer)
driver.once("all nodes ready", async () => {
  for (const [id, { name }] of Object.entries(NODES)) driver.controller.nodes.get(Number(id)).name = name
  await until(() => server?.server?.listening)
  const [gatePort, controlPort] = [await listen(gate), await listen(control)]
  const ready = { server: `ws://${HOST}:${serverPort}`, gate: `ws://${HOST}:${gatePort}`, control: `http://${HOST}:${controlPort}` }
  console.log(JSON.stringify(ready))
})
continueStartup()
