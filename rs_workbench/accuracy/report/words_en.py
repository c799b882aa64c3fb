"""The words of the report in English."""

ENGLISH = {
    "title": "Accuracy of {map}",
    "title.held_out": "Accuracy of {map} on held-out ground",
    "title.training": "Fit of {map} to training data",
    "subtitle": "compared with {reference}",
    "unit.pixel": "pixel",
    "unit.point": "point",
    "unit.polygon": "polygon",
    "unit.pixel.one": "{n} pixel",
    "unit.pixel.many": "{n} pixels",
    "unit.point.one": "{n} point",
    "unit.point.many": "{n} points",
    "unit.polygon.one": "{n} polygon",
    "unit.polygon.many": "{n} polygons",
    "unit.unit.one": "{n} unit",
    "unit.unit.many": "{n} units",
    "training.banner": "Fit to training data, not accuracy. The model has seen this reference: "
    "the figures below say how well it learned it, and nothing about other places. Assess the "
    "map with data that were kept out of training.",
    "headline.estimate": "Overall accuracy {value} % ({confidence} % confidence interval "
    "{low} to {high} %).",
    "headline.rests": "Estimated for the whole map from {units} with a reference label: {design}.",
    "headline.clusters": "{units} in {clusters} clusters",
    "headline.truncated": "The interval is cut off at 0 or 100 %.",
    "headline.units": "Map and reference agree on {right} of {units} looked at: {value} %.",
    "headline.census": "Every pixel of the map was compared, so these are figures of the map, as "
    "far as the reference is right.",
    "headline.no_design": "These figures describe what was looked at, not the map: it is not "
    "known how the units were chosen, so no confidence interval can be given for the map and no "
    "area can be corrected.",
    "headline.held_out": "This ground was kept out of training. The figures tell how well the "
    "model maps ground like it; they are no estimate for a whole map, which needs a sample of its "
    "own.",
    "headline.blocks": "If the {n} blocks of the map were drawn at random, the {confidence} % "
    "interval over blocks would be {low} to {high} % (jackknife).",
    "headline.resampled": "{score} {value} %: drawing the {n} {group} anew {draws} times gives a "
    "{confidence} % interval of {low} to {high} %. It tells how much the figure depends on the "
    "places that were looked at, as if they had been drawn at random.",
    "resampled.overall_accuracy": "Agreement",
    "resampled.mean_iou": "Mean IoU",
    "group.raster": "blocks",
    "group.polygons": "polygons",
    "group.points": "groups",
    "headline.nothing": "No unit has both a class on the map and one in the reference: there is "
    "nothing to report.",
    "fact.overall": "Overall accuracy",
    "fact.agreement": "Agreement of what was looked at",
    "fact.fit": "Agreement with training data",
    "fact.held_out": "Agreement on held-out ground",
    "fact.kept_out": "kept out of training",
    "fact.not_map": "not an estimate for the map",
    "fact.interval": "{low}–{high} % with {confidence} % confidence",
    "fact.mean_iou": "Mean IoU",
    "fact.classes_of": "over {n} of {k} classes",
    "fact.units": "Labelled units",
    "fact.census": "every pixel of the map",
    "fact.no_design": "no sampling design",
    "fact.baseline": "Baseline: {name}",
    "fact.baseline_detail": "overall accuracy on the same units",
    "fact.baseline_units": "agreement on the same units",
    "class": "Class",
    "stop": ".",
    "total": "Total",
    "undefined": "undefined",
    "undefined.neither": "in neither map nor reference",
    "undefined.map": "not on the map",
    "undefined.reference": "not in the reference",
    "se": "SE {se}",
    "areas.title": "Mapped and adjusted area",
    "areas.text": "The mapped area counts pixels and repeats the errors of the map. The adjusted "
    "area corrects it by what the sample says; quote this one, with its interval.",
    "areas.caption": "Area by class in hectares (ha); intervals at {confidence} % confidence",
    "areas.caption_share": "Share of the area by class in percent; intervals at {confidence} % "
    "confidence. The area of the map in hectares is not known",
    "areas.mapped": "Mapped, ha",
    "areas.adjusted": "Adjusted, ha",
    "areas.se": "SE, ha",
    "areas.interval": "Interval, ha",
    "areas.relative": "± of adjusted, %",
    "areas.share": "Adjusted share, %",
    "areas.mapped_share": "Mapped share, %",
    "areas.share_se": "SE, points",
    "areas.share_interval": "Interval, %",
    "areas.no_design": "Areas are not given: pixel counts repeat the errors of the map, and "
    "without a sampling design there is nothing to correct them with.",
    "areas.census": "The reference covers the whole map, so the area of each class is that of its "
    "column in the matrix; nothing has to be estimated.",
    "areas.plot": "Adjusted area of each class with its confidence interval, and the mapped area "
    "beside it",
    "plot.area": "Area, ha",
    "plot.ratio": "Adjusted / mapped, %",
    "plot.adjusted": "adjusted, with interval",
    "plot.mapped": "mapped",
    "classes.title": "Accuracy by class",
    "classes.text": "User's accuracy: how often a place mapped as the class is the class. "
    "Producer's accuracy: how much of the class the map finds.",
    "classes.caption": "Estimates for the map in percent; below each the {confidence} % "
    "confidence interval and the standard error (SE) in points",
    "classes.caption_units": "Shares of what was looked at, in percent; no confidence interval, "
    "since there is no sampling design",
    "classes.caption_census": "Of all compared pixels, in percent; every pixel of the map was "
    "compared, so nothing is left to sampling",
    "classes.units": "Units",
    "classes.units_below": "map / reference",
    "classes.users": "User's accuracy",
    "classes.producers": "Producer's accuracy",
    "classes.f1": "F1",
    "classes.iou": "IoU",
    "classes.mean_iou": "Mean IoU",
    "classes.undefined": "Undefined: {names}: in neither map nor reference; left out of the mean "
    "IoU.",
    "classes.wilson": "* Every unit seen agreed (or none did), so the standard error is 0: the "
    "interval is Wilson's.",
    "classes.truncated": "† The interval is cut off at 0 or 100 %.",
    "classes.plot": "Bars of user's accuracy, producer's accuracy and IoU of each class",
    "matrix.title": "Confusion matrix",
    "matrix.text": "Rows are the classes of the map, columns those of the reference.",
    "matrix.colors": "Green cells agree; the redder a cell, the larger its part of the row.",
    "matrix.counts": "In counts: {unit} looked at",
    "matrix.share": "In area share: estimated percent of the area of the map",
    "matrix.across": "Reference",
    "matrix.down": "Map",
    "matrix.numbered": "Columns bear the values of the classes, in the order of the rows.",
    "matrix.raw_estimate": "Raw share of the diagonal: {right} of {all} = {value} %. This is not "
    "the overall accuracy of the map: it depends on how many units were drawn in each class. The "
    "estimated overall accuracy is {overall} %.",
    "matrix.raw_units": "Raw share of the diagonal: {right} of {all} = {value} %. It describes "
    "what was looked at and is no estimate of the overall accuracy of the map.",
    "matrix.raw_census": "Share of the diagonal: {right} of {all} = {value} %, the overall "
    "accuracy of the map as far as the reference is right.",
    "matrix.users": "User's, %",
    "matrix.producers": "Producer's, %",
    "matrix.corner": "Lower right: estimated overall accuracy, the sum of the diagonal.",
    "errors.title": "Where the map is wrong",
    "errors.raster": "error_map.tif, beside this page, shows every compared pixel: light grey "
    "where the map is right, else in the colour of the class that the reference has there. QGIS "
    "shows it with these names and colours. Pixels that could not be compared are transparent.",
    "errors.caption": "Values of error_map.tif",
    "errors.value": "Value",
    "errors.meaning": "Meaning",
    "errors.pixels": "Pixels",
    "errors.points": "errors.gpkg, beside this page, holds every compared point with the class of "
    "the map (map_class), that of the reference (reference_class), and 1 in the column correct "
    "where the two agree, else 0.",
    "errors.polygons": "errors.gpkg, beside this page, holds every compared polygon with its "
    "class (reference_class), the commonest class of the map in it (map_class), and in the column "
    "correct the part of its pixels where the two agree, from 0 to 1.",
    "disagreement.title": "Kinds of disagreement",
    "disagreement.text": "Quantity: the map has too much of some classes and too little of "
    "others. Exchange: two classes swap places. Shift: the rest, round three or more classes. "
    "Together they are all that is missing to 100 %.",
    "disagreement.caption": "Percent of the area of the map",
    "disagreement.caption_units": "Percent of what was looked at",
    "disagreement.kind": "Kind",
    "disagreement.value": "Percent",
    "disagreement.interval": "{confidence} % interval",
    "disagreement.quantity": "Quantity",
    "disagreement.exchange": "Exchange",
    "disagreement.shift": "Shift",
    "disagreement.sum": "Total disagreement",
    "blocks.title": "Differences from place to place",
    "blocks.text": "Scores of {n} square blocks of {height} × {width} pixels with at least {min} "
    "compared pixels each ({empty} further blocks are empty, {small} too small). They tell how "
    "evenly the map is right and how well it may carry over to other places; they are no "
    "estimate of its overall accuracy.",
    "blocks.caption": "Spread over blocks, in percent; every block counts the same",
    "blocks.score": "Score",
    "blocks.min": "Lowest",
    "blocks.lower": "Lower quarter",
    "blocks.median": "Median",
    "blocks.upper": "Upper quarter",
    "blocks.max": "Highest",
    "blocks.sd": "SD",
    "blocks.all": "All blocks together",
    "blocks.jackknife": "Jackknife SE",
    "blocks.worst": "Lowest overall accuracy: block in row {row}, column {col} of the grid "
    "(from 0), which starts at pixel row {y}, column {x}.",
    "blocks.plot": "Map of the blocks, shaded by overall accuracy, and how many blocks have which",
    "blocks.axis": "Overall accuracy of the block, %",
    "blocks.count": "Blocks",
    "boundary.title": "Borders",
    "boundary.text": "How well the borders of each class lie where the reference has them.",
    "boundary.caption": "Borders by class: shares in percent with a tolerance of {tolerance} "
    "{unit}, distances in {unit}",
    "boundary.f": "Boundary F",
    "boundary.parts": "precision / recall",
    "boundary.iou": "Boundary IoU",
    "boundary.mean": "Mean distance, {unit}",
    "boundary.median": "Median, {unit}",
    "boundary.p95": "95th percentile, {unit}",
    "boundary.hausdorff": "Largest, {unit}",
    "boundary.beyond": "≥ Parts of the border have no counterpart within {most} {unit}; they "
    "count as {most} {unit}, so the figure is a lower bound.",
    "baselines.title": "Compared with other maps",
    "baselines.text": "A map is worth making only if it is better than something simpler on the "
    "same units.",
    "baselines.caption": "On the same units, in percent",
    "baselines.map": "Map",
    "baselines.this": "This map",
    "baselines.overall": "Overall accuracy",
    "baselines.agreement": "Agreement",
    "baselines.mean_iou": "Mean IoU",
    "baselines.difference": "This map minus it, points",
    "baselines.test": "Paired test",
    "baselines.none": "no test",
    "baseline.majority": "majority class everywhere",
    "baseline.forest": "random forest on single pixels",
    "counted.title": "What was compared and what was left out",
    "counted.caption": "Every unit of the reference is in one of these rows",
    "counted.what": "Units",
    "counted.number": "Number",
    "counted.used": "Compared: a class on the map and in the reference",
    "counted.map_nodata": "Left out: labelled, but the map has no data there",
    "counted.unlabelled": "Left out: the reference has no label",
    "counted.out_of_scope": "Left out: the label is declared not of interest",
    "counted.outside": "Left out: outside the map",
    "counted.grid": "Grids: {policy}.",
    "grid.same grid": "map and reference have the same grid",
    "grid.same grid, compared where the two overlap": "map and reference have the same grid and "
    "were compared where they overlap",
    "design.title": "Sampling design",
    "design.none": "No sampling design is known. For figures that hold for the whole map, draw a "
    "sample with  rsw assess design  and label it.",
    "design.held_out": "None: the pixels are those of the held-out chips, which were chosen by "
    "place before training. For figures that hold for a whole map, draw a sample of it with  rsw "
    "assess design  and label it.",
    "design.census": "None was needed: every pixel of the map was compared.",
    "design.simple_random": "simple random sample",
    "design.systematic": "systematic sample",
    "design.stratified": "stratified random sample",
    "design.post_stratified": "simple random sample, stratified after it was drawn",
    "design.cluster": "cluster sample",
    "design.simple_random.text": "Every {unit} of the map had the same chance to be drawn.",
    "design.systematic.text": "Units lie on a regular grid with a random start. The variance is "
    "that of a simple random sample, which is mostly too large.",
    "design.stratified.text": "The map was divided into strata, and a fixed number of units was "
    "drawn at random in each. Every unit counts for as many as its stratum drew it from.",
    "design.post_stratified.text": "Units were drawn at random from the whole map; the known "
    "sizes of the strata were used afterwards to sharpen the estimate.",
    "design.cluster.text": "Groups of neighbouring units were drawn as a whole; the variance is "
    "that between groups.",
    "allocation.proportional": "proportional to the size of the strata",
    "allocation.equal": "equal in all strata",
    "allocation.minimum": "a minimum in every stratum, the rest proportional to size",
    "allocation.neyman": "by size and spread of the strata (Neyman)",
    "allocation.power": "by a power of the size of the strata",
    "design.seed": "Random seed {seed}.",
    "design.allocation": "Allocation: {allocation}.",
    "design.map": "Drawn from {map}.",
    "design.area": "Area of the population: {area} ha.",
    "design.population": "Population: {n} units.",
    "design.caption": "Strata",
    "design.stratum": "Stratum",
    "design.population_head": "Population",
    "design.drawn": "Drawn",
    "design.labelled": "Labelled",
    "design.probability": "Inclusion probability",
    "design.variance": "Part of the variance, %",
    "design.dominant": "One stratum, {name}, brings {share} % of the variance of the overall "
    "accuracy: further units there, or a buffer stratum around the rare classes, would narrow the "
    "interval most (Olofsson et al. 2020).",
    "design.unequal": "Units differ in area and were weighted by it.",
    "further.title": "Further measures",
    "further.text": "Kappa is given because some ask for it. Its chance agreement has no meaning "
    "for maps, it adds nothing to overall accuracy, and it says nothing about area (Pontius and "
    "Millones 2011; Foody 2020). It is computed from the counts, whatever the design.",
    "further.caption": "From the counts, not weighted by area",
    "further.measure": "Measure",
    "further.value": "Value",
    "further.kappa": "Cohen's kappa",
    "further.mcc": "Matthews correlation",
    "further.fwiou": "Frequency-weighted IoU, %",
    "settings.title": "Settings of the run",
    "settings.caption": "Options as used",
    "settings.option": "Option",
    "settings.value": "Value",
    "terminal.report": "Report: {path}",
    "closing": "Made by rs-workbench {version}. All figures in full precision: accuracy.json.",
}
