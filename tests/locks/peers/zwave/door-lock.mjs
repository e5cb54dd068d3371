// A door lock as the Z-Wave driver sees it over the radio: a keypad, a bolt, a battery and numbered places for codes.
// It answers for itself what a default mock node would answer too obligingly, and can be put into every kind of trouble.
import { UserIDStatus } from "@zwave-js/cc"
import { BatteryCCGet, BatteryCCReport } from "@zwave-js/cc/BatteryCC"
import { NotificationCCReport } from "@zwave-js/cc/NotificationCC"
import { SupervisionCCGet } from "@zwave-js/cc"
import {
  UserCodeCCExtendedUserCodeSet,
  UserCodeCCGet,
  UserCodeCCReport,
  UserCodeCCSet,
} from "@zwave-js/cc/UserCodeCC"
import { UserCredentialCCCredentialGet, UserCredentialCCCredentialSet } from "@zwave-js/cc/UserCredentialCC"
import { createMockZWaveRequestFrame } from "@zwave-js/testing"

const ACCESS_CONTROL = 6
export const EVENT = {
  keypadUnlock: 0x06, jammed: 0x0b, codeDeleted: 0x0d, codeAdded: 0x0e, duplicate: 0x0f, keypadDisabled: 0x10,
  wrongCode: 0x32,
}
const WRONG_TRIES_ALLOWED = 5
const PIN = "UserCredential_cred_1_"

const text = (code) => (typeof code === "string" ? code : Buffer.from(code).toString("ascii"))

export class DoorLock {
  constructor(node, controller, { slots, masks = false, announces = false, credentials = false }) {
    Object.assign(this, { node, controller, slots, masks, announces, credentials })
    this.reset()
    node.autoAckControllerFrames = false // a lost acknowledgement is one of the troubles
    node.defineBehavior(this.behavior())
  }

  // Back to a fresh lock: empty, in reach, with a good battery and without trouble.
  reset() {
    this.memory = new Map()
    for (const key of [...this.node.state.keys()]) if (key.startsWith("UserCredential_")) this.node.state.delete(key)
    Object.assign(this, { inReach: true, trouble: undefined, mute: false, wrongTries: 0, battery: 80 })
    this.frames = { writes: 0, others: 0 }
  }

  // What the lock really holds: {"1": "4829"}.
  codes() {
    if (this.credentials) {
      const held = [...this.node.state].filter(([key]) => key.startsWith(PIN))
      return Object.fromEntries(held.map(([key, { credentialData }]) => [key.slice(PIN.length), text(credentialData)]))
    }
    return Object.fromEntries([...this.memory].map(([slot, { code }]) => [slot, code]))
  }

  // The radio -------------------------------------------------------------------------------------------------------

  behavior() {
    const fates = new WeakMap()
    return {
      transformIncomingCC: async (_controller, self, cc) => {
        const inner = cc instanceof SupervisionCCGet ? cc.encapsulated : cc
        const fate = this.fate(inner)
        fates.set(inner, fate)
        if (fate === "heard") await self.ackControllerRequestFrame()
        return cc
      },
      handleCC: (controller, _self, cc) => (fates.get(cc) === "lost" ? { action: "stop" } : this.answer(controller, cc)),
      transformResponse: (_controller, _self, cc, response) =>
        fates.get(cc) === "unanswered" ? { action: "stop" } : response,
    }
  }

  // heard: acknowledged and done. unanswered: done, and nobody learns of it. lost: never arrived.
  fate(cc) {
    this.frames[isWrite(cc) ? "writes" : "others"] += 1
    if (!this.inReach) return "lost"
    if (!isWrite(cc) || !this.trouble || this.trouble.name === "refuse") return "heard"
    const { name, after_s: seconds } = this.trouble
    this.trouble = undefined
    if (name === "lose-answer") return "unanswered"
    if (name === "land-late") setTimeout(() => this.carryOut(cc), seconds * 1000)
    return "lost"
  }

  answer(controller, cc) {
    if (cc instanceof BatteryCCGet) return this.sends(new BatteryCCReport({ nodeId: controller.ownNodeId, ...this.power() }))
    if (this.mute && (cc instanceof UserCodeCCGet || cc instanceof UserCredentialCCCredentialGet)) return { action: "stop" }
    if (cc instanceof UserCodeCCGet) return this.sends(this.report(controller, cc.userId))
    if (!isWrite(cc)) return undefined
    if (this.trouble?.name === "refuse") {
      this.trouble = undefined
      return { action: "fail" }
    }
    return this.credentials ? undefined : { action: this.carryOut(cc) ? "ok" : "fail" }
  }

  sends(cc) {
    return { action: "sendCC", cc }
  }

  report(controller, userId) {
    const held = this.memory.get(userId)
    const exists = userId <= this.slots
    return new UserCodeCCReport({
      nodeId: controller.ownNodeId,
      userId,
      userIdStatus: held?.status ?? (exists ? UserIDStatus.Available : UserIDStatus.StatusNotAvailable),
      userCode: held && (this.masks ? "*".repeat(held.code.length) : held.code),
    })
  }

  // The memory ------------------------------------------------------------------------------------------------------

  carryOut(cc) {
    const writes = cc instanceof UserCodeCCExtendedUserCodeSet ? cc.userCodes : [cc]
    return writes.every((write) => this.store(write))
  }

  store({ userId, userIdStatus, userCode }) {
    if (userIdStatus === UserIDStatus.Available) {
      const slots = userId === 0 ? [...this.memory.keys()] : [userId]
      for (const slot of slots) if (this.memory.delete(slot) && this.announces) this.tellSlot(EVENT.codeDeleted, slot)
      return true
    }
    const code = text(userCode)
    if (userId > this.slots) return false
    if ([...this.memory].some(([slot, held]) => held.code === code && slot !== userId)) {
      setTimeout(() => this.tell(EVENT.duplicate), 10)
      return false
    }
    this.memory.set(userId, { code, status: userIdStatus })
    if (this.announces) setTimeout(() => this.tellSlot(EVENT.codeAdded, userId), 10)
    return true
  }

  // At the door -----------------------------------------------------------------------------------------------------

  async type(code) {
    const usable = ([slot]) => (this.memory.get(Number(slot))?.status ?? UserIDStatus.Enabled) === UserIDStatus.Enabled
    const hit = Object.entries(this.codes()).find((each) => each[1] === code && usable(each))
    if (hit) {
      this.wrongTries = 0
      await this.tellSlot(EVENT.keypadUnlock, Number(hit[0]))
      return true
    }
    this.wrongTries += 1
    await this.tell(this.wrongTries > WRONG_TRIES_ALLOWED ? EVENT.keypadDisabled : EVENT.wrongCode)
    return false
  }

  async setAtKeypad(slot, code) {
    this.memory.set(slot, { code, status: UserIDStatus.Enabled })
    await this.tellSlot(EVENT.codeAdded, slot)
  }

  // Deleted at the lock, which tells nobody.
  forget(slot) {
    this.memory.delete(slot)
    this.node.state.delete(`${PIN}${slot}`)
  }

  disable(slot) {
    this.memory.get(slot).status = UserIDStatus.Disabled
  }

  power() {
    return { level: this.battery, isLow: this.battery <= 10 }
  }

  async tellBattery() {
    await this.send(new BatteryCCReport({ nodeId: this.controller.ownNodeId, ...this.power() }))
  }

  // A place goes as the User Code report of that place, which a notification about a user code carries.
  async tellSlot(event, slot) {
    await this.tell(event, Buffer.from([0x63, 0x03, slot, UserIDStatus.Enabled]))
  }

  async tell(notificationEvent, eventParameters) {
    const nodeId = this.controller.ownNodeId
    await this.send(new NotificationCCReport({ nodeId, notificationType: ACCESS_CONTROL, notificationEvent, eventParameters }))
  }

  async send(cc) {
    if (this.inReach) await this.node.sendToController(createMockZWaveRequestFrame(cc, { ackRequested: false }))
  }
}

function isWrite(cc) {
  return (
    cc instanceof UserCodeCCSet ||
    cc instanceof UserCodeCCExtendedUserCodeSet ||
    cc instanceof UserCredentialCCCredentialSet
  )
}
