module.exports = { testMatch: ['**/sample.jest.js'], reporters: ['jest-junit'] }
