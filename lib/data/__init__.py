"""Datasets: the HDF5 file, readers of foreign motion, generated motion, batches on a device."""
