"""Any-subset synthesis (Joyce 2017): encoders, alignment, max fusion, decoders for every contrast."""
