// A member of a group by kafkajs: classic. Arguments and lines are those of say.py and lines.py.
const fs = require('node:fs')
const { Kafka, logLevel } = require('kafkajs')

const [bootstrap, topic, group, , commits, session] = process.argv.slice(2)
const byHand = commits === 'hand'

function say(kind, ...words) {
  const us = Math.round((performance.timeOrigin + performance.now()) * 1000)
  fs.writeSync(1, [us, kind, ...words].join(' ') + '\n')
}

async function main() {
  const kafka = new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({
    groupId: group,
    ...(session === '0' ? {} : { sessionTimeout: Number(session) }),
  })
  // The events do not have the generation.
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    const partitions = payload.memberAssignment[topic] || []
    say('owns', '-', partitions.join(',') || '-')
  })
  for (const lost of [consumer.events.REBALANCING, consumer.events.CRASH, consumer.events.STOP]) {
    consumer.on(lost, () => say('owns', '-', '-'))
  }
  consumer.on(consumer.events.CRASH, ({ payload }) => say('note', payload.error))
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  process.on('SIGTERM', async () => {
    await consumer.disconnect()
    process.exit(0)
  })
  await consumer.run({
    autoCommit: !byHand,
    eachMessage: async ({ partition, message }) => {
      say('read', partition, message.offset, message.value.toString())
      if (!byHand) return
      const next = (BigInt(message.offset) + 1n).toString()
      say('commit', partition, next)
      try {
        await consumer.commitOffsets([{ topic, partition, offset: next }])
      } catch (error) {
        say('note', error)
        throw error
      }
      say('committed', partition, next)
    },
  })
}

main().catch((error) => {
  say('note', error)
  process.exit(1)
})
