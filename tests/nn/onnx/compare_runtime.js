// See compare_runtime.sh. `write` makes run descriptions and samples, `compare` computes the exported models.
const fs = require('fs');

const image = {format: 'synthetic', kind: 'images', height: 15, width: 13, classes: 5, train_size: 600, test_size: 50};
const cases = {
  images: {shape: [9, 1, 15, 13], data: image, model: [
    {type: 'conv2d', filters: 8, stride: 2, padding: 'same', activation: 'leaky_relu'}, 'batch_norm', 'relu',
    {type: 'residual', layers: [{type: 'conv2d', filters: 8, groups: 2, padding: 'same'},
                                {type: 'group_norm', groups: 4}, 'gelu']},
    {type: 'residual', layers: [{type: 'conv2d', filters: 12, padding: 'same'}, 'relu'],
     shortcut: [{type: 'conv2d', filters: 12, kernel: 1, bias: false}]},
    'layer_norm', {type: 'max_pool', size: 3, stride: 2, padding: 'same'},
    {type: 'avg_pool', size: 2, stride: 1, padding: 1}, {type: 'conv2d', filters: 6, kernel: 2, padding: 'valid'},
    'tanh', 'dropout', 'flatten', {type: 'dense', units: 20, activation: 'sigmoid'}, 'layer_norm', 'batch_norm',
    {type: 'group_norm', groups: 5}, {type: 'leaky_relu', slope: 0.2}, {type: 'synthetic_wait', milliseconds: 0.01},
    {type: 'dense', units: 5}]},
  pooled: {shape: [9, 1, 15, 13], data: image, model: [
    {type: 'conv2d', filters: 8}, 'sigmoid', 'global_avg_pool', {type: 'dense', units: 5}]},
  offset: {shape: [9, 2], offset: 16777000, data: {format: 'csv', train: 'offset_train.csv'},
    model: [{type: 'dense', units: 16, activation: 'tanh'}, {type: 'dense', units: 3}]},
  rows: {shape: [9, 7], loss: 'binary_cross_entropy',
    data: {format: 'synthetic', kind: 'blobs', features: 7, classes: 2, train_size: 600, test_size: 50},
    model: [{type: 'dense', units: 16, activation: 'tanh'}, {type: 'dense', units: 1}]},
};

/// The same numbers in every run: bytes for images, values about zero for rows.
function samples({shape, offset = 0}) {
  let state = 12345;
  const next = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
  const size = shape.reduce((a, b) => a * b);
  return Array.from({length: size}, () => (shape.length > 2 ? Math.floor(256 * next()) : offset ? offset + Math.floor(9 * next()) : 4 * next() - 2));
}

function npy(shape, values) {
  const bytes = shape.length > 2;
  const text = `{'descr': '${bytes ? '|u1' : '<f4'}', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const header = text.padEnd(128 - 10 - 1) + '\n';
  const size = Buffer.alloc(2);
  size.writeUInt16LE(header.length);
  const data = bytes ? Buffer.from(values) : Buffer.from(Float32Array.from(values).buffer);
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), size, Buffer.from(header), data]);
}

function write() {
  const rows = Array.from({length: 300}, (_, i) => `${16777000 + i % 9},${16777000 + (i * 7) % 9},${i % 3}`);
  fs.writeFileSync('offset_train.csv', `a,b,label\n${rows.join('\n')}\n`);
  for (const [name, c] of Object.entries(cases)) {
    const run = {schema_version: 1, name, data: c.data, model: c.model, batch_size: 32, duration: {epochs: 1},
                 optimizer: {type: 'sgd', learning_rate: 0.02, momentum: 0.9}};
    if (c.loss) run.loss = c.loss;
    fs.writeFileSync(`${name}.json`, JSON.stringify(run));
    fs.writeFileSync(`${name}.npy`, npy(c.shape, samples(c)));
  }
}

async function compare() {
  const ort = require('onnxruntime-web');
  ort.env.wasm.numThreads = 1;
  let worst = 0;
  for (const [name, c] of Object.entries(cases)) {
    const session = await ort.InferenceSession.create(new Uint8Array(fs.readFileSync(`${name}.onnx`)));
    const input = new ort.Tensor('float32', Float32Array.from(samples(c)), c.shape);
    const theirs = (await session.run({input})).prediction.data;
    const ours = fs.readFileSync(`${name}.csv`, 'utf8').trim().split('\n').slice(1)
                   .flatMap((line) => line.split(',').map(Number));
    if (ours.length !== theirs.length) throw new Error(`${name}: ${theirs.length} values, not ${ours.length}`);
    const apart = Math.max(...ours.map((v, i) => Math.abs(v - theirs[i])));
    if (!(apart < 1e-5)) throw new Error(`${name}: predictions are ${apart} apart`);
    worst = Math.max(worst, apart);
    console.log(`${name}: ${ours.length} predictions, at most ${apart.toExponential(1)} apart`);
  }
  console.log(`all models: at most ${worst.toExponential(1)} apart`);
}

process.argv[2] === 'write' ? write() : compare().catch((e) => { console.error(e.message); process.exit(1); });
