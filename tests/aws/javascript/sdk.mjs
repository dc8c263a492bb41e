// SPDX-License-Identifier: Apache-2.0
// The AWS SDK for JavaScript v3 as it stands, led by its environment alone, along the path from a token to a running service.
//   node sdk.mjs IMAGE EXECUTION_ROLE
import assert from 'node:assert/strict';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { CreateLogGroupCommand, CloudWatchLogsClient, paginateFilterLogEvents } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeImagesCommand, ECRClient, GetAuthorizationTokenCommand, RepositoryNotFoundException } from '@aws-sdk/client-ecr';
import {
  ClusterNotFoundException, CreateClusterCommand, CreateServiceCommand, DescribeServicesCommand, ECSClient, paginateListTasks,
  RegisterTaskDefinitionCommand, RunTaskCommand, UpdateServiceCommand, waitUntilServicesStable, waitUntilTasksStopped,
} from '@aws-sdk/client-ecs';
import {
  CreateSecretCommand, GetSecretValueCommand, ResourceNotFoundException, SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateHttpNamespaceCommand, GetOperationCommand, ServiceDiscoveryClient } from '@aws-sdk/client-servicediscovery';

const [image, role] = process.argv.slice(2);
const subnets = process.env.SUBNETS.split(',');
const networkConfiguration = { awsvpcConfiguration: { subnets, assignPublicIp: 'ENABLED' } };

const sts = new STSClient({});
const { Account } = await sts.send(new GetCallerIdentityCommand({}));
assert.match(Account, /^\d{12}$/);
await assert.rejects(sts.send(new AssumeRoleCommand({ RoleArn: `arn:aws:iam::${Account}:role/none`, RoleSessionName: 's1' })), { name: 'AccessDenied' });
await assert.rejects(new STSClient({ credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'x' } }).send(new GetCallerIdentityCommand({})),
  { name: 'InvalidClientTokenId' });

const ecr = new ECRClient({});
const { authorizationData: [token] } = await ecr.send(new GetAuthorizationTokenCommand({}));
assert.ok(token.expiresAt > new Date(), 'the token is good for a while');
const { imageDetails } = await ecr.send(new DescribeImagesCommand({ repositoryName: 'app' }));
assert.deepEqual(imageDetails[0].imageTags, ['1']);
await assert.rejects(ecr.send(new DescribeImagesCommand({ repositoryName: 'none' })), RepositoryNotFoundException);

const secrets = new SecretsManagerClient({});
const secret = await secrets.send(new CreateSecretCommand({ Name: 'word', SecretString: 'open sesame' }));
assert.equal((await secrets.send(new GetSecretValueCommand({ SecretId: 'word' }))).SecretString, 'open sesame');
await assert.rejects(secrets.send(new GetSecretValueCommand({ SecretId: 'none' })), ResourceNotFoundException);

const logs = new CloudWatchLogsClient({});
await logs.send(new CreateLogGroupCommand({ logGroupName: 'g' }));

const ecs = new ECSClient({});
await assert.rejects(ecs.send(new DescribeServicesCommand({ cluster: 'none', services: ['s'] })), ClusterNotFoundException);
await ecs.send(new CreateClusterCommand({ clusterName: 'c' }));
const register = (family, command) => ecs.send(new RegisterTaskDefinitionCommand({
  family, networkMode: 'awsvpc', requiresCompatibilities: ['FARGATE'], cpu: '256', memory: '512', executionRoleArn: role,
  containerDefinitions: [{
    name: 'app', image, stopTimeout: 2, command, portMappings: [{ containerPort: 8000 }], secrets: [{ name: 'WORD', valueFrom: secret.ARN }],
    logConfiguration: { logDriver: 'awslogs', options: { 'awslogs-group': 'g', 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': family } },
  }],
}));
await register('app');
await register('once', ['sh', '-c', 'echo "$WORD"; exit 3']);
await ecs.send(new CreateServiceCommand({ cluster: 'c', serviceName: 's', taskDefinition: 'app', desiredCount: 2, launchType: 'FARGATE', networkConfiguration }));
const stable = () => waitUntilServicesStable({ client: ecs, maxWaitTime: 120, minDelay: 1, maxDelay: 2 }, { cluster: 'c', services: ['s'] });
assert.equal((await stable()).state, 'SUCCESS');
const before = (await ecs.send(new DescribeServicesCommand({ cluster: 'c', services: ['s'] }))).services[0];
await ecs.send(new UpdateServiceCommand({ cluster: 'c', service: 's', forceNewDeployment: true }));
assert.equal((await stable()).state, 'SUCCESS');
const after = (await ecs.send(new DescribeServicesCommand({ cluster: 'c', services: ['s'] }))).services[0];
assert.notEqual(after.deployments[0].id, before.deployments[0].id);
assert.equal(after.runningCount, 2);
let tasks = 0;
for await (const page of paginateListTasks({ client: ecs, pageSize: 1 }, { cluster: 'c', serviceName: 's' })) tasks += page.taskArns.length;
assert.equal(tasks, 2);
const { tasks: [task] } = await ecs.send(new RunTaskCommand({ cluster: 'c', taskDefinition: 'once', launchType: 'FARGATE', networkConfiguration }));
const ended = await waitUntilTasksStopped({ client: ecs, maxWaitTime: 60, minDelay: 1, maxDelay: 2 }, { cluster: 'c', tasks: [task.taskArn] });
assert.equal(ended.reason.tasks[0].containers[0].exitCode, 3);
const lines = [];
for await (const page of paginateFilterLogEvents({ client: logs }, { logGroupName: 'g', logStreamNamePrefix: 'once' })) lines.push(...page.events.map((event) => event.message));
assert.deepEqual(lines, ['open sesame']);

// Its S3 client sends checksums behind the body.
const s3 = new S3Client({ forcePathStyle: true });
await s3.send(new CreateBucketCommand({ Bucket: 'artifacts' }));
const body = 'x'.repeat(200_000);
await s3.send(new PutObjectCommand({ Bucket: 'artifacts', Key: 'a/b.txt', Body: body, ContentType: 'text/plain' }));
const got = await s3.send(new GetObjectCommand({ Bucket: 'artifacts', Key: 'a/b.txt' }));
assert.equal(got.ContentType, 'text/plain');
assert.equal(await got.Body.transformToString(), body);
assert.equal((await s3.send(new ListObjectsV2Command({ Bucket: 'artifacts', Prefix: 'a/' }))).Contents[0].Size, body.length);

const discovery = new ServiceDiscoveryClient({});
const { OperationId } = await discovery.send(new CreateHttpNamespaceCommand({ Name: 'mesh' }));
assert.equal((await discovery.send(new GetOperationCommand({ OperationId }))).Operation.Status, 'SUCCESS');
console.log('AWS SDK for JavaScript: sts, ecr, secrets, logs, ecs with its waiters and pages, s3, cloud map');
