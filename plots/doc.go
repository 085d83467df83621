// Package plots draws the ten figures of arXiv:1605.07678 and the tool's own charts.
//
// A chart is a function from data to a Figure: one or several *plot.Plot panels of gonum/plot, the findings as numbers,
// and notes about what could not be drawn. Findings are computed from the points that are drawn, never stored. What is
// missing (an accuracy, a device's power, a batch that does not fit in memory) becomes a note on the face of the figure.
//
// Data come in the units that the axes print (ms, W, MB of 10^6 bytes, 10^9 operations, 10^6 parameters), as in
// specs.PaperData, and the names of the fields say which: published numbers stay the published ones to the digit.
//
// The package neither predicts nor measures; it draws what it is given. It keeps no state, equal data give equal SVG
// bytes, and only it imports gonum/plot.
package plots
