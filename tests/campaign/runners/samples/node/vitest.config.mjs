export default { test: { include: ['sample.vitest.mjs'], reporters: ['junit'], outputFile: 'reports/junit.xml' } }
