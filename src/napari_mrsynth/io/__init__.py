"""Files in and out: any scan becomes a Volume, any Volume a NIfTI file that says where it came from.

Importing this package loads no imaging library: nibabel, SimpleITK and pydicom are imported by the first
file that needs them.
"""

from napari_mrsynth.io.dicom import read_dicom
from napari_mrsynth.io.naming import EXTENSIONS, derivative_name
from napari_mrsynth.io.patient import PatientFiles, read_patient
from napari_mrsynth.io.reading import read_image
from napari_mrsynth.io.writing import write_volume

__all__ = [
    "EXTENSIONS",
    "PatientFiles",
    "derivative_name",
    "read_dicom",
    "read_image",
    "read_patient",
    "write_volume",
]
