module.exports = { testMatch: 'sample.playwright.js', reporter: [['junit', { outputFile: 'reports/junit.xml' }]], workers: 1 }
