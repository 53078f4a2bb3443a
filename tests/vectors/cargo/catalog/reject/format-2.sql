UPDATE about SET value = 'packtrain-catalog-2';
