"""Pictures as SVG, without a plotting library: lines and strips over time, side by side."""
