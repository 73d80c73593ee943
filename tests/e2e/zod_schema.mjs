// A schema written with the real Zod, exported as its users do.
//
//   node zod_schema.mjs FOLDER_OF_node_modules
import { createRequire } from 'node:module'

const { z } = createRequire(`${process.argv[2]}/`)('zod')
const order = z.strictObject({
  id: z.uuid(),
  kind: z.enum(['buy', 'sell']),
  count: z.int().min(1).max(1000),
  price: z.number().positive().optional(),
  tags: z.array(z.string().min(1).max(16)).max(4).default([]),
  contact: z.union([z.email(), z.null()]),
  when: z.iso.datetime().optional(),
  extra: z.record(z.string().regex(/^[a-z]+$/), z.boolean()).optional(),
  child: z.strictObject({ name: z.string().regex(/^[A-Z][a-z]{1,9}$/) }).optional()
})
console.log(JSON.stringify(z.toJSONSchema(order, { io: 'input' })))
