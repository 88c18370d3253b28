"""Testing on whole data sets: what is to be done, predicting and keeping what is finished, figures and files."""
