// What tests run without a browser: the model and the words.

export { Fold } from "./model/fold";
export { end, epochAt } from "./model/log";
export { parseTrace } from "./model/recorded";
export { Recording } from "./model/trace";
export { isMoment, shapeOf } from "./model/kinds";
export { followed, why } from "./model/why";
export { Pace } from "./model/pace";
export { lanesOf } from "./model/lanes";
export { reasonOf } from "./words/reasons";
export { fill, lang } from "./words/say";
export { sentence } from "./words/sentences";
export { Engine } from "./engine";
export { decode, encode } from "./link";
export { BINS, DEEP, places } from "./model/dots";
export { clock } from "./model/clock";
