// What the entity graph needs, in one file: drawing, the graph, a layout. Bundled as README.md says.
export { default as Graph } from "graphology";
export { default as forceAtlas2 } from "graphology-layout-forceatlas2";
export { default as Sigma } from "sigma";
