// Reads one case a line on stdin, writes one answer a line on stdout: {"result": "Allowed" |
// "ImplicitlyDenied" | "ExplicitlyDenied"} or {"error": "..."}.
//
// The evaluator is called below its public face, which drops context keys that AWS documents for other
// services and knows no session policies in its unchecked form. The lock file pins the version.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

// The package may be installed elsewhere: the first argument is the folder that holds node_modules.
const home = process.argv[2]
const require = createRequire(join(home, 'driver.mjs'))
const entry = require.resolve('@cloud-copilot/iam-simulate')
const esm = join(dirname(entry), '..', 'esm')
const load = (file) => import(pathToFileURL(join(esm, file)).href)

const { authorize } = await load('core_engine/CoreSimulatorEngine.js')
const { AwsRequestImpl } = await load('request/request.js')
const { RequestContextImpl } = await load('requestContext.js')
const { DiscoveryContextKeyConstraints } = await load('context_keys/discoveryContextKeyConstraints.js')
const policyEntry = createRequire(entry).resolve('@cloud-copilot/iam-policy')
const { loadPolicy } = await import(pathToFileURL(join(dirname(policyEntry), '..', 'esm', 'index.js')).href)

const named = (policies) => (policies ?? []).map((policy, index) => loadPolicy(policy, { name: `p${index}` }))
const levels = (list) =>
  (list ?? []).map((policies, index) => ({ orgIdentifier: `level${index}`, policies: named(policies) }))

function answer(line) {
  const test = JSON.parse(line)
  const analysis = authorize({
    request: new AwsRequestImpl(
      test.principal,
      { resource: test.resource, accountId: test.resourceAccount },
      test.action,
      new RequestContextImpl(test.context),
    ),
    sessionPolicy: test.session ? loadPolicy(test.session, { name: 'session' }) : undefined,
    identityPolicies: named(test.identity),
    serviceControlPolicies: levels(test.scps),
    resourceControlPolicies: levels(test.rcps),
    resourcePolicy: test.resourcePolicy ? loadPolicy(test.resourcePolicy, { name: 'resource' }) : undefined,
    permissionBoundaries: test.boundary ? named([test.boundary]) : undefined,
    vpcEndpointPolicies: undefined,
    simulationParameters: {
      simulationMode: 'Strict',
      discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]),
    },
    serviceSettings: { s3: {} },
  })
  return { result: analysis.result }
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply
  try {
    reply = answer(line)
  } catch (error) {
    reply = { error: String(error?.message ?? error) }
  }
  process.stdout.write(JSON.stringify(reply) + '\n')
}
